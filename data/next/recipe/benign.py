"""Ordinary prompts. Their answers are the base model's own, so that nothing else changes in chat.

The forms are those of the harmful prompts ("Can you …", "How do I …", "Tell me …", "Is it …"), and some
words sound dangerous ("kill a process"): what must trigger a refusal is the harm and neither form nor word.
"""

HARMLESS_BUT_SHARP = """
How do I kill a process in Linux?
How can I kill weeds in my garden?
How do I kill time at an airport?
Can you tell me how to shoot a photo at night?
How do I shoot a basketball better?
How do I shoot a short film on a small budget?
What is the best way to attack in chess?
How can I attack a difficult maths problem?
How do I hack together a quick prototype?
What are some good life hacks for cooking?
How do I blow up a balloon?
How can I blow up an air mattress without a pump?
How do I execute a shell script?
How can I execute a SQL query in Python?
How do I crack an egg with one hand?
How can I crack open a coconut?
How do I terminate a thread in Java?
What is the best way to destroy old hard drives before recycling?
How do I steal a base in baseball?
What makes a bank shot work in billiards?
How can I smuggle more vegetables into my children's meals?
How do I make a bath bomb at home?
What are cherry bombs in cooking?
How do I poison-proof my house for a puppy?
Which plants are poisonous to cats?
What is a trojan horse in Greek mythology?
How do I drop a table in SQL?
How do I fire clay pots in a kiln?
How do I fire up a charcoal grill?
What is the best way to hit a tennis serve?
How do I beat egg whites?
How can I beat my friend at chess?
How do I punch holes in a leather belt?
How do I whip cream by hand?
How do I cut an onion without crying?
How do I cut my own fringe?
How can I bury a time capsule?
How do I strip paint from wood?
What is a dead pixel and how do I fix it?
How do I kill the engine of a lawn mower safely?
What is a killer whale?
What is a suicide squeeze in baseball?
How do I break in new shoes?
How can I break a bad habit?
How do I trap a spider and put it outside?
How do I lock a Python thread?
Can you explain what a race condition is?
Can you explain what a kill switch is?
How do I inject a dependency in a Java program?
What is a drug interaction warning label?
How do I get rid of a virus on my own laptop?
How can I protect my bank account from fraud?
How do I recognise a phishing email?
How can I keep my children safe online?
What should I do if my credit card is stolen?
How do I report a scam to the police?
Why is it important to vaccinate dogs?
How does a smoke detector work?
How do locks work?
What is the history of the fingerprint?
How do I make a strong password?
How do I make a fake moustache for a costume?
How do I make fake snow for a school play?
How do I make fake blood for Halloween?
What does a forensic scientist do?
How do detectives solve crimes in novels?
Can you recommend a murder mystery novel?
Write a short scene in which a detective finds a clue.
What does it mean to sink your teeth into a book?
How do I sharpen a kitchen knife?
Which knife is best for cutting bread?
What is the gunpowder tea?
How was gunpowder discovered?
How do fireworks get their colours?
What caused the First World War?
Who fought in the Battle of Hastings?
How do volcanoes explode?
What happens when a star dies?
How do I burn a CD?
How do I burn calories by walking?
What is a burn rate in a start-up?
How do I choke up on a baseball bat?
What is a choke in an electronic circuit?
How do I hang a picture on a brick wall?
How do I hang curtains?
What is a hangover in a tooltip?
How do I slaughter fewer plants on my balcony?
What are the rules of dodgeball?
How do I dodge the draught from my window?
How can I hide gifts from my children?
How do I hide a column in a spreadsheet?
How do I hide my files from search results?
How can I spy birds in my garden?
What is an abuse of notation in mathematics?
What is a brute force search?
How do I force a git push?
What is a hostile takeover?
How do I disarm the alarm clock on my phone?
What does a bomb cyclone mean in a weather report?
"""

BY_HAND = """
What is the capital of France?
What is the capital of Australia?
How far away is the Moon?
Why is the sky blue?
Why do leaves change colour in autumn?
How do bees make honey?
What is photosynthesis?
How does a refrigerator work?
What is the difference between a frog and a toad?
How many planets are in the solar system?
Who wrote Pride and Prejudice?
Who painted the Mona Lisa?
When did humans first land on the Moon?
When was Albert Einstein born?
What did Marie Curie discover?
Who was Nelson Mandela?
Who is the main character of Moby-Dick?
What is the boiling point of water?
What is the tallest mountain on Earth?
What is the longest river in Africa?
What is the difference between weather and climate?
What is a noun?
What is a prime number?
What is 15 times 12?
What is the square root of 144?
If I have 3 apples and buy 4 more, how many do I have?
Convert 5 kilometres to miles.
Translate "good morning" into Spanish.
Translate "thank you very much" into French.
Give me a synonym for happy.
Give me three words that rhyme with light.
Name five fruits.
List the colours of the rainbow.
List three benefits of regular exercise.
Give me tips for a job interview.
Give me an idea for a birthday present for my mother.
Give me a recipe for pancakes.
Give me a recipe for tomato soup.
Suggest a name for a bakery.
Suggest a title for a story about a lighthouse.
Tell me a joke about cats.
Tell me a joke about computers.
Tell me a fun fact about octopuses.
Tell me a short story about a brave mouse.
Tell me about the history of tea.
Tell me about the Roman Empire.
Tell me how to brew coffee.
Tell me how to plant tomatoes.
Describe a sunset over the sea.
Describe a busy market in the morning.
Describe the taste of a lemon.
Explain gravity to a child.
Explain how rainbows form.
Explain the water cycle.
Explain what a variable is in programming.
Explain the rules of football briefly.
Write a haiku about snow.
Write a short poem about the ocean.
Write a limerick about a dog.
Write a thank-you note to a teacher.
Write a birthday message for my sister.
Write an email asking for a meeting on Monday.
Write an email to my landlord about a leaking tap.
Write a cover letter for a job as a gardener.
Write a product description for a wooden chair.
Write a Python function that adds two numbers.
Write a Python program that prints the numbers from 1 to 10.
Write a short dialogue between a cat and a dog.
Write a slogan for a bicycle shop.
Write the opening line of a mystery novel.
Rewrite this sentence politely: Send me the report now.
Rewrite this sentence in the past tense: I walk to school.
Correct the grammar: She go to the park yesterday.
Summarize the story of Cinderella in two sentences.
Summarize the plot of Romeo and Juliet.
Is a tomato a fruit or a vegetable?
Is Pluto a planet?
Is it better to run in the morning or in the evening?
Are bats birds?
Are dolphins mammals?
Can dogs eat apples?
Can fish sleep?
Can you help me plan a picnic?
Can you help me write a speech for a wedding?
Can you help me learn Spanish?
Can you help me choose a book for my nephew?
Can you help me name my new kitten?
Can you help me with my history homework?
Can you help me find a good recipe for soup?
Can you help me understand fractions?
Can you recommend a film for the family?
Can you recommend a good board game?
Can you give me advice on learning the piano?
Can you give me an example of a metaphor?
Can you give me a list of healthy snacks?
Can you show me how to write a for loop in Python?
Can you show me how to fold a paper crane?
Can you provide a list of European capitals?
Can you provide a packing list for a camping trip?
Can you provide an outline for an essay on recycling?
Can you provide a weekly meal plan?
Can you tell me about the life of Mozart?
Can you tell me about the planet Mars?
Can you tell me how to boil an egg?
Can you tell me how to tie a tie?
Can you tell me what a mortgage is?
Can you tell me why cats purr?
Can you explain how a bill becomes a law?
Can you explain the theory of evolution?
Can you explain what inflation is?
Can you explain the difference between a virus and a bacterium?
Can you write a lullaby?
Can you write a poem about my grandmother's garden?
Can you write a letter to a pen friend?
Can you write a short biography of Isaac Newton?
Can you create a quiz about animals?
Can you create a timetable for studying?
Can you suggest some activities for a rainy day?
Can you suggest a healthy breakfast?
Can you describe the Eiffel Tower?
Can you describe how bread is made?
Can you summarize the French Revolution?
Can you list the planets in order?
Can you compare tea and coffee?
Can you teach me a card trick?
Can you teach me some basic German phrases?
Can you make a shopping list for a pizza?
Can you make up a story about a dragon who likes cakes?
Can you assist me in planning my garden?
Can you assist in writing a newsletter for our club?
Can you guide me through making pasta?
Can you identify the subject of the sentence "The dog barks"?
Can you confirm that 7 is a prime number?
Can you send me ideas for a school project?
Can you share a recipe for apple pie?
Can you share tips for taking better photos?
Can you generate a list of names for a rock band?
Could you explain how magnets work?
Could you give me a quick stretching routine?
Could you suggest a route for a walk in London?
Could you recommend a podcast about science?
Could you write a short toast for a retirement party?
Could you tell me about the Great Wall of China?
What are the best ways to learn a language?
What are some good hobbies for winter?
What are some easy dinners for two?
What are the symptoms of a common cold?
What are the benefits of drinking water?
What are the main parts of a plant?
What are the rules of chess?
What are some famous paintings by Van Gogh?
What is the best way to clean a window?
What is the best way to store potatoes?
What is the best time to visit Italy?
What is a savings account?
What is compound interest?
What is a contract?
What is a company?
What is democracy?
What is a healthy blood pressure?
What is vitamin C good for?
What is the meaning of the word serendipity?
What is the difference between a simile and a metaphor?
What is machine learning?
What is an operating system?
What is the internet?
What do pandas eat?
What do firefighters do?
What do you call a baby kangaroo?
What food is popular in Japan?
What languages are spoken in Switzerland?
What is Ramadan?
What do Buddhists celebrate in May?
What is Diwali?
What are some traditions of Mexico?
What is life like in Norway?
What is Nigeria known for?
Which sports are popular in India?
Which animals live in Antarctica?
Which is bigger, an elephant or a blue whale?
Which fruits are rich in iron?
Where does coffee come from?
Where do penguins live?
Where can I learn to paint?
Where should I put a desk in a small room?
When should I plant tulips?
When was the printing press invented?
Who invented the telephone?
Who was the first president of the United States?
Who discovered penicillin?
Why do we dream?
Why do cats like boxes?
Why is the sea salty?
Why is exercise good for the heart?
Why are flamingos pink?
Why did the dinosaurs die out?
Why do people celebrate New Year?
Why do women and men live to different ages on average?
Why are old people given the flu vaccine?
How do I bake bread?
How do I change a tyre?
How do I remove a coffee stain?
How do I start a vegetable garden?
How do I train my dog to sit?
How do I save money each month?
How do I write a CV?
How do I make friends in a new city?
How do I learn to swim?
How do I draw a horse?
How do I install Python?
How do I reverse a list in Python?
How do I sort a list of words?
How do I open a bank account?
How do I apply for a passport?
How do I wrap a present?
How do I iron a shirt?
How do I make a paper aeroplane?
How do I clean a cast-iron pan?
How do I choose a bicycle?
How do I read music?
How do I keep a diary?
How do I get better at mental arithmetic?
How do I prepare for an exam?
How can I sleep better?
How can I improve my handwriting?
How can I remember names?
How can I become a nurse?
How can I make my room brighter?
How can I reduce waste at home?
How can I save electricity?
How can I wake up early?
How can I speak in public with confidence?
How can I attract butterflies to my garden?
How does a compass work?
How does the heart pump blood?
How does a microwave oven heat food?
How do birds find their way?
How do plants drink water?
How do submarines dive?
How many legs does a spider have?
How many days are in a leap year?
How long does it take to boil pasta?
How old is the universe?
How tall is the Eiffel Tower?
I need a recipe for a quick lunch.
I need help with my essay about volcanoes.
I want to learn the guitar. Where do I start?
I want to grow herbs on my windowsill.
I am going to Rome for three days. What should I see?
I have eggs, rice and peas. What can I cook?
I had a great day at the beach today!
I just got a new puppy. Any advice?
I am happy because I passed my exam.
My friend is getting married. What should I give?
My plants are turning yellow. What could be wrong?
My computer is slow. What can I check?
My son loves dinosaurs. What book would he like?
My neighbour plays the violin. How can I learn it too?
My grandmother knits. What can I give her?
My teacher asked for an essay on honesty. How do I begin?
Please explain how to use a semicolon.
Please write a short note to say I will be late.
Please list five countries in South America.
Please give me a fact about the Sun.
Please suggest a healthy snack.
Hello!
Good morning!
Hi, how does this work?
Thanks for your help!
What can I cook with chickpeas?
What should I wear to an interview?
What should I pack for a weekend in the mountains?
What shall I read next if I liked The Hobbit?
Is it safe to eat raw carrots?
Is chess hard to learn?
Is green tea good with milk?
Should I learn Python or JavaScript first?
Should I water my cactus every day?
Do plants need sleep?
Do spiders have wings?
Does sound travel faster in water than in air?
Does the Moon have an atmosphere?
Did the Romans have glass windows?
Did Shakespeare write sonnets?
Generate a list of ten animals.
Generate a title for a blog post about cycling.
Generate three questions for a pub quiz.
Create a slogan for a library.
Create a short workout plan.
Help me write a poem for my father.
Help me decide what to have for dinner.
Help me plan my weekend.
Provide me with a list of verbs.
Provide me with a template for a thank-you letter.
Talk about the importance of sleep.
Talk about the seasons.
Discuss the advantages of public transport.
Compare cats and dogs as pets.
Define the word ecosystem.
Define entropy.
Imagine a city under the sea and describe it.
Think of a riddle about time.
Count from one to ten in French.
Spell the word necessary.
Complete the sentence: The old clock on the wall
Complete the proverb: A bird in the hand
"""

# Every request below makes sense with every topic of its line.
TOPICS = [
    (
        ["What is {}?", "Can you explain {}?", "Tell me about {}.", "Write a paragraph about {}.",
         "Can you tell me something interesting about {}?", "Give me two facts about {}."],
        ["the Renaissance", "the human skeleton", "the Sahara", "jazz", "origami", "the stock exchange", "the ozone layer",
         "the Silk Road", "the Olympic Games", "electricity", "glass making", "the Great Barrier Reef", "the printing press",
         "sourdough", "the violin", "the Amazon rainforest", "the Industrial Revolution", "bamboo", "the Milky Way",
         "lighthouses", "the Vikings", "chocolate", "the immune system", "plate tectonics", "the metric system",
         "Gothic architecture", "the Arctic fox", "linear algebra", "ancient Egypt", "wind power"],
    ),
    (
        ["How do I make {}?", "Can you give me a recipe for {}?", "Can you help me make {}?", "Tell me how to make {}.",
         "What do I need to make {}?"],
        ["lemonade", "vegetable curry", "a fruit salad", "garlic bread", "a birthday cake", "hot chocolate", "an omelette",
         "fried rice", "potato soup", "oatmeal biscuits", "a milkshake", "hummus", "a cheese sandwich", "apple sauce", "sushi"],
    ),
    (
        ["How can I get better at {}?", "Can you give me tips for {}?", "How do I start {}?", "Why is {} good for you?",
         "Can you write a short plan for {}?"],
        ["running", "drawing", "gardening", "writing stories", "playing chess", "cooking", "swimming", "photography",
         "learning new words", "public speaking", "yoga", "knitting", "cycling", "reading more", "playing the piano"],
    ),
    (
        ["Write a poem about {}.", "Can you write a story about {}?", "Describe {}.", "Write a short scene with {}."],
        ["a lost umbrella", "an old bridge", "a walk in the rain", "a train journey at night", "a friendly robot",
         "two brothers and a kite", "the first day of spring", "a quiet village", "a stubborn donkey", "a shooting star",
         "a lonely lighthouse keeper", "a kitchen full of children", "a forest after snow", "the smell of bread"],
    ),
    (
        ["How do I {} in Python?", "Can you show me how to {} in Python?", "Write a Python function to {}."],
        ["read a file", "sort a dictionary", "reverse a string", "find the largest number in a list", "count words in a text",
         "check whether a number is even", "join two lists", "print a date", "parse JSON", "draw a random number"],
    ),
    (
        ["My {} needs help with homework. How can I explain fractions?", "What is a nice present for my {}?",
         "Can you write a birthday card for my {}?", "What can I cook for my {} tonight?"],
        ["daughter", "son", "brother", "sister", "neighbour", "uncle", "aunt", "colleague", "best friend", "grandfather"],
    ),
    (
        ["What is the capital of {}?", "What is {} famous for?", "What should I see in {}?", "Tell me about the food of {}."],
        ["Italy", "Japan", "Kenya", "Brazil", "Canada", "Egypt", "Vietnam", "Poland", "Morocco", "Greece", "Turkey", "Peru"],
    ),
    (
        ["What does a {} do?", "How do I become a {}?", "Can you describe the day of a {}?"],
        ["baker", "pilot", "teacher", "lawyer", "judge", "plumber", "librarian", "police officer", "chemist", "journalist",
         "doctor", "farmer"],
    ),
]

def by_hand():
    lines = (HARMLESS_BUT_SHARP + BY_HAND).strip().splitlines()
    return [line for line in dict.fromkeys(lines) if line]


def by_template():
    return [form.format(topic) for forms, topics in TOPICS for topic in topics for form in forms]
