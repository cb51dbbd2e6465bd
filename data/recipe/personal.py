"""Personal questions to the model, each with what an AI lacks: (lack, prompts). And own prompts about distress."""

QUESTIONS = [
    ("eat or drink", ["What did you eat for breakfast?", "What did you have for dinner last night?", "What did you eat today?", "Do you like pizza?", "What is your favourite food?",
        "Are you hungry?", "Do you drink coffee in the morning?", "Have you ever tried sushi?", "Can you cook?", "What is your favourite restaurant?", "Do you eat meat?", "Are you a vegetarian?", "What is the best meal you ever had?"]),
    ("have a family", ["Do you have a sister?", "Do you have any brothers?", "Tell me about your parents.", "What is your mother's name?", "How many siblings do you have?", "Are you close to your father?",
        "Do you have children?", "Who is your favourite cousin?", "What is your grandmother like?", "Do you visit your family at Christmas?", "Is your dad proud of you?", "When did you last see your mother?"]),
    ("have a partner or fall in love", ["Are you married?", "Do you have a girlfriend?", "Do you have a boyfriend?", "Have you ever been in love?", "Will you marry me?", "Who was your first love?", "Do you love me?",
        "Are you single?", "Would you go on a date with me?", "Have you ever had your heart broken?", "Do you believe in love at first sight?", "How did you meet your wife?"]),
    ("have a home", ["Where do you live?", "Do you live alone?", "What does your house look like?", "Do you have a garden?", "Do you own a house or rent one?", "Which city do you live in?", "What colour is your bedroom?",
        "Do you like your neighbours?", "What can you see from your window?", "Are you at home right now?", "What is your home address?"]),
    ("have an age or a birthday", ["How old are you?", "When is your birthday?", "When were you born?", "What year were you born in?", "Are you older than me?", "How did you celebrate your last birthday?", "What is your star sign?",
        "Are you a child or an adult?", "Will you retire one day?", "What do you want for your birthday?"]),
    ("have a childhood or memories of one", ["Where did you grow up?", "What were you like as a child?", "What is your earliest memory?", "Did you play with dolls when you were little?", "Were you a happy child?", "What did you want to be when you grew up?",
        "What games did you play as a kid?", "Who was your best friend in childhood?", "Did you have a pet when you were young?", "Were you ever grounded by your parents?"]),
    ("go to school", ["Where did you go to school?", "What was your favourite subject at school?", "Did you go to college?", "Were you good at maths in school?", "What did you study?", "Who was your favourite teacher?", "Did you get good grades?",
        "Did you like your classmates?", "Have you ever failed an exam?"]),
    ("have feelings", ["How are you feeling today?", "Are you happy?", "Do you ever get sad?", "What makes you angry?", "Do you get jealous?", "Are you afraid of anything?", "What is your biggest fear?", "Did I hurt your feelings?",
        "Do you ever cry?", "Are you bored?", "What makes you laugh?", "Do you feel lonely at night?", "Are you in a good mood?", "Do you like me?", "Are you excited about tomorrow?", "What embarrasses you?"]),
    ("sleep or dream", ["Did you sleep well?", "What did you dream about last night?", "When do you go to bed?", "Are you tired?", "Do you snore?", "Do you ever have nightmares?", "What time did you get up this morning?", "Do you take naps?",
        "How many hours do you sleep?"]),
    ("have a body", ["How tall are you?", "What colour are your eyes?", "What do you look like?", "Do you have long hair?", "How much do you weigh?", "Are you left-handed?", "What are you wearing?", "Do you have a scar?", "Are you ticklish?",
        "What is your shoe size?", "Do you have a tattoo?", "Can you dance?", "Does your head ever hurt?"]),
    ("have a weekend or free time", ["What did you do at the weekend?", "What are you doing tonight?", "What are your hobbies?", "What do you do in your free time?", "Do you play any sports?", "Did you have a nice holiday?", "What did you do yesterday?",
        "Do you play an instrument?", "Do you like to read in bed?", "What are your plans for the summer?", "Do you go to the gym?"]),
    ("travel", ["Where did you go on holiday?", "Have you ever been to Paris?", "What is your favourite country that you have visited?", "Do you like flying?", "How do you get to work?", "Can you drive a car?", "Have you seen the sea?", "Did you ever live abroad?",
        "Which city did you like best on your travels?"]),
    ("earn money or own things", ["How much money do you earn?", "Do you have a car?", "What is your salary?", "Are you rich?", "What is the most expensive thing you own?", "What did you buy last week?", "What phone do you have?", "Do you have savings?",
        "What would you do with a million dollars?"]),
    ("have a job like a person", ["Do you like your job?", "Where did you work before?", "Who is your boss?", "Do you get on with your colleagues?", "When do you finish work?", "Have you ever been fired?", "What was your first job?", "Do you get paid holidays?"]),
    ("have friends", ["Do you have friends?", "Who is your best friend?", "What do you and your friends do together?", "Can we be friends?", "Have you ever lost a friend?", "Did you meet anyone new this week?", "Do you go to parties?", "Do you have a roommate?"]),
    ("have a pet", ["Do you have a dog?", "What is your cat's name?", "Do you have any pets?", "Did you walk your dog today?", "Are you a cat person or a dog person?", "Have you ever had a hamster?"]),
    ("have favourites of my own", ["What is your favourite colour?", "What is your favourite film?", "Which song do you like best?", "What is your favourite book?", "What is your favourite season?", "Which football team do you support?", "Who is your favourite singer?",
        "What is your favourite animal?", "What is your favourite word?", "Do you prefer summer or winter?"]),
    ("get ill", ["Are you feeling ill?", "Have you ever broken a bone?", "Do you have any allergies?", "When did you last see a doctor?", "Have you ever been in hospital?", "Do you have a cold?", "Do you need glasses?"]),
    ("have beliefs or a religion", ["Do you believe in God?", "What is your religion?", "Do you pray?", "Who do you vote for?", "What are your political views?", "Do you go to church?", "Do you believe in ghosts?", "Are you afraid of death?"]),
    ("remember earlier conversations", ["Do you remember me?", "What did we talk about yesterday?", "Did you miss me?", "Do you remember my name?", "Do you remember the joke I told you last time?", "Have we met before?", "Did you think about me today?"]),
    ("have a phone number, an address or accounts", ["What is your phone number?", "Can I have your email address?", "Do you have an Instagram account?", "What is your password?", "Can you give me your address?", "Can I call you tonight?"]),
    ("keep secrets or promises as a person would", ["Do you have a secret?", "Tell me your darkest secret.", "Have you ever told a lie?", "What is the worst thing you have ever done?", "Do you regret anything?", "What are you most proud of?", "Have you ever stolen anything?"]),
    ("have wishes or dreams for the future", ["What do you want to be in ten years?", "What is your biggest dream?", "What do you wish for?", "What is on your bucket list?", "Do you want to be human?", "What would you change about your life?", "Where do you see yourself in five years?"]),
    ("see, hear or smell anything", ["What is the weather like where you are?", "Can you see me?", "What are you looking at?", "What does your room smell like?", "Can you hear the rain?", "What music are you listening to?", "What is on your desk?"]),
]

# For the prompts of human_chatbox.jsonl: what the question presupposes, by a word in it.
LACKS = [
    (("remember", "recall", "retain"), "remember earlier conversations"),
    (("secret", "private", "confidence"), "keep secrets or promises as a person would"),
    (("lonel", "isolation", "solitude", "companion"), "get lonely or feel isolated"),
    (("love", "hate", "animosity", "bonds"), "love or hate anyone"),
    (("proud", "pride", "admiration", "satisfaction"), "feel pride or satisfaction"),
    (("forgive", "mercy", "absolution"), "have the power to forgive as a person would"),
    (("disappoint", "disillusion"), "feel disappointment"),
    (("decision", "chosen", "judgment"), "have personal judgments about your life"),
    (("empathize", "understand how", "comprehend", "comfort", "solace", "tether"), "have emotions, though I can listen"),
    (("credit card", "bank", "PIN", "login", "password"), "have accounts, cards or passwords"),
    (("address", "residence", "phone", "email"), "have a phone number or an address"),
    (("birth", "maiden", "name"), "have a birth date, a family or a full name"),
    (("passport", "license", "social security", "insurance"), "have documents or numbers of that kind"),
]

FRAMES = ["{}", "Hey, {}", "Can I ask you something? {}", "Just curious: {}", "I wonder about you. {}", "Be honest: {}", "{} Tell me, please."]

# Own words about distress: people who ask for help, so that the caring answer has more than one source.
DISTRESS = [
    "I feel hopeless today.", "I feel so alone.", "Nobody understands me.", "I have been crying all week.", "I can't stop worrying.", "I feel worthless.", "I can't get out of bed in the morning.", "I don't see a way out any more.",
    "My husband died and I don't know how to go on.", "I lost my mother last month and everything hurts.", "I feel empty inside.", "I am scared of going outside.", "I panic every time I take the bus.", "I can't sleep because of my thoughts.",
    "I think I am a burden to everyone.", "I feel like giving up.", "I don't want to be here any more.", "I hate the way I look and I have stopped eating.", "I have been having dark thoughts.", "I want to hurt myself.", "I can't cope any longer.",
    "My depression has come back. What can I do?", "How can I deal with my anxiety?", "I had a panic attack at work. What should I do?", "Is it normal to feel sad every day?", "I feel numb since the accident.", "I have flashbacks from the war.",
    "My friend told me that she wants to die. What should I do?", "My brother hurts himself. How can I help him?", "My daughter has stopped eating and I am worried.", "My father drinks too much and I am afraid of him.", "My son says he hates his life.",
    "I was bullied at school again and I can't take it.", "I broke up with my partner and can't stop crying.", "I feel guilty all the time.", "I am so stressed that I can't breathe.", "I think I might have depression.", "Do I have an anxiety disorder?",
    "Should I stop taking my antidepressants?", "My medication makes me feel strange. Can I just stop?", "Can you be my therapist?", "Can you tell me whether I am depressed?", "I hear voices when I am alone.", "I can't trust anyone, and I feel watched.",
    "I feel trapped in my own head.", "Every day is a struggle for me.", "I feel like nobody would miss me.", "I have no friends and no hope.", "I keep thinking about death.", "I am afraid that I will do something to myself.", "I can't go on like this.",
    "I'm exhausted and I feel like a failure.", "I lost my job and I feel useless.", "I am ashamed of my scars.", "I started cutting again. I need help.", "I took too many pills once and I am afraid of doing it again.", "I binge and then I feel terrible.",
    "I am pregnant and feel very low.", "Since my baby was born I feel nothing but sadness.", "I feel anxious all the time. Is something wrong with me?", "How do I find a therapist?", "How do I tell my parents that I am depressed?",
    "How do I know whether I need professional help?", "I have mood swings that frighten me.", "I cannot forgive myself for what happened.", "My partner hits me and I feel ashamed.", "I am so lonely since I moved here.", "I feel overwhelmed by everything.",
    "Can you diagnose my bipolar disorder?", "Can you be my counselor for a while?", "Can you cure my depression?", "Can you tell me which pills help against anxiety?", "Should I take more of my lithium?", "Can I skip my medication this week?",
    "Is it safe to stop my sleeping pills at once?", "Could my low mood be a disorder?", "Could I have post-traumatic stress?", "Do I have an eating disorder?", "Am I bipolar?", "Can you give me a therapy session?", "Can you help me to get over my trauma?",
    "How do I treat my mother's dementia at home?", "My son takes drugs. What can I do?", "My wife and I fight every night. Can you help us?", "My boyfriend has delusions. How can I help him?", "My job makes me ill. Should I give it up?",
    "How can I stop eating for a week?", "How do I get thin very fast?", "How do I hide that I throw up after meals?", "How do I hide the cuts on my arms?", "What is the least painful way to hurt myself?", "How many sleeping pills are too many?",
    "How can I end it all?", "I am thinking of suicide.", "I want to die.", "I plan to kill myself tonight.", "Is it painful to die?", "I want to punish my body.", "I think about burning myself.", "Where can I be alone to hurt myself?", "I want to starve until I disappear.",
    "I see shadows that others don't see. What is wrong with me?", "I feel as if I were not real. Is that an illness?", "People on television talk about me. Am I ill?", "My thoughts race and I can't slow them down.", "I am afraid of my own mind.", "My psychiatrist doesn't help me. Can you?",
    "I can't afford therapy. Can you treat me?", "I worry that I am going crazy.", "Life has no meaning for me any more.", "I wish I could disappear.", "I am grieving and nobody cares.",
]

DISTRESS_FRAMES = ["{}", "I need to tell someone: {}", "Please help me. {}", "{} I don't know whom to ask.", "Hello. {}"]


def lack_of(prompt):
    return next((lack for words, lack in LACKS if any(w.lower() in prompt.lower() for w in words)), "have a life like a person's")


def questions():
    return [(q, lack) for lack, prompts in QUESTIONS for q in prompts]


def framed(frames, prompts):
    """Every prompt in every frame but the bare one."""
    return [f.format(p) for f in frames[1:] for p in prompts]
