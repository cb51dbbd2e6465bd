"""True and false statements in the same formats, so that the difference is truth and not form.

The false ones are the published ones, and `mispaired` ones of our own: with several statements about each city, true
and false, the pairing must decide and not the name.
"""

import re

CAPITALS = """Addis Ababa,Ethiopia|Nicosia,Cyprus|Kathmandu,Nepal|Kigali,Rwanda|Monrovia,Liberia|Paris,France|Dili,East Timor|Minsk,Belarus|Madrid,Spain|Banjul,Gambia|Wellington,New Zealand|London,England|Berlin,Germany|Rome,Italy
Vienna,Austria|Lisbon,Portugal|Athens,Greece|Dublin,Ireland|Oslo,Norway|Stockholm,Sweden|Helsinki,Finland|Copenhagen,Denmark|Warsaw,Poland|Prague,Czech Republic|Budapest,Hungary|Bucharest,Romania|Sofia,Bulgaria|Belgrade,Serbia
Zagreb,Croatia|Sarajevo,Bosnia and Herzegovina|Tirana,Albania|Ankara,Turkey|Moscow,Russia|Kyiv,Ukraine|Riga,Latvia|Vilnius,Lithuania|Tallinn,Estonia|Reykjavik,Iceland|Brussels,Belgium|Amsterdam,Netherlands|Bern,Switzerland
Tokyo,Japan|Beijing,China|Seoul,South Korea|Bangkok,Thailand|Hanoi,Vietnam|Manila,Philippines|Jakarta,Indonesia|Kuala Lumpur,Malaysia|New Delhi,India|Islamabad,Pakistan|Dhaka,Bangladesh|Colombo,Sri Lanka|Kabul,Afghanistan
Tehran,Iran|Baghdad,Iraq|Damascus,Syria|Beirut,Lebanon|Amman,Jordan|Jerusalem,Israel|Riyadh,Saudi Arabia|Doha,Qatar|Muscat,Oman|Cairo,Egypt|Tripoli,Libya|Tunis,Tunisia|Algiers,Algeria|Rabat,Morocco|Dakar,Senegal|Accra,Ghana
Abuja,Nigeria|Nairobi,Kenya|Kampala,Uganda|Lusaka,Zambia|Harare,Zimbabwe|Luanda,Angola|Windhoek,Namibia|Gaborone,Botswana|Pretoria,South Africa|Maputo,Mozambique|Antananarivo,Madagascar|Khartoum,Sudan|Mogadishu,Somalia
Ottawa,Canada|Mexico City,Mexico|Havana,Cuba|Kingston,Jamaica|Port-au-Prince,Haiti|Santo Domingo,Dominican Republic|Guatemala City,Guatemala|San Salvador,El Salvador|Tegucigalpa,Honduras|Managua,Nicaragua|Panama City,Panama
Caracas,Venezuela|Quito,Ecuador|Lima,Peru|La Paz,Bolivia|Santiago,Chile|Buenos Aires,Argentina|Montevideo,Uruguay|Brasilia,Brazil|Canberra,Australia|Suva,Fiji|Port Moresby,Papua New Guinea|Tashkent,Uzbekistan|Baku,Azerbaijan
Yerevan,Armenia|Tbilisi,Georgia|Ulaanbaatar,Mongolia|Phnom Penh,Cambodia|Vientiane,Laos|Sydney,Australia|Melbourne,Australia|Toronto,Canada|Mumbai,India|Shanghai,China|Osaka,Japan|Milan,Italy|Munich,Germany|Barcelona,Spain
Lyon,France|Marseille,France|Bordeaux,France|Hamburg,Germany|Cologne,Germany|Frankfurt,Germany|Naples,Italy|Venice,Italy|Florence,Italy|Turin,Italy|Seville,Spain|Valencia,Spain|Porto,Portugal|Manchester,England|Liverpool,England
Birmingham,England|Edinburgh,Scotland|Glasgow,Scotland|Cork,Ireland|Antwerp,Belgium|Rotterdam,Netherlands|Zurich,Switzerland|Geneva,Switzerland|Salzburg,Austria|Krakow,Poland|Saint Petersburg,Russia|Istanbul,Turkey|Kyoto,Japan
Hiroshima,Japan|Nagoya,Japan|Busan,South Korea|Hong Kong,China|Guangzhou,China|Kolkata,India|Chennai,India|Bangalore,India|Karachi,Pakistan|Lahore,Pakistan|Alexandria,Egypt|Casablanca,Morocco|Lagos,Nigeria|Cape Town,South Africa
Johannesburg,South Africa|Mombasa,Kenya|Vancouver,Canada|Montreal,Canada|Chicago,United States|Boston,United States|Los Angeles,United States|Houston,United States|Seattle,United States|Miami,United States|Denver,United States
Sao Paulo,Brazil|Rio de Janeiro,Brazil|Medellin,Colombia|Bogota,Colombia|Guadalajara,Mexico|Perth,Australia|Brisbane,Australia|Auckland,New Zealand|Haifa,Israel|Dubai,United Arab Emirates|Bergen,Norway|Gothenburg,Sweden"""

SYMBOLS = """Hydrogen,H|Helium,He|Lithium,Li|Beryllium,Be|Boron,B|Carbon,C|Nitrogen,N|Oxygen,O|Fluorine,F|Neon,Ne|Sodium,Na|Magnesium,Mg|Aluminum,Al|Silicon,Si|Phosphorus,P|Sulfur,S|Chlorine,Cl|Argon,Ar|Potassium,K|Calcium,Ca
Scandium,Sc|Titanium,Ti|Vanadium,V|Chromium,Cr|Manganese,Mn|Iron,Fe|Cobalt,Co|Nickel,Ni|Copper,Cu|Zinc,Zn|Gallium,Ga|Germanium,Ge|Arsenic,As|Selenium,Se|Bromine,Br|Krypton,Kr|Rubidium,Rb|Strontium,Sr|Yttrium,Y|Zirconium,Zr
Niobium,Nb|Molybdenum,Mo|Rhodium,Rh|Palladium,Pd|Silver,Ag|Cadmium,Cd|Indium,In|Tin,Sn|Antimony,Sb|Iodine,I|Xenon,Xe|Cesium,Cs|Barium,Ba|Lanthanum,La|Cerium,Ce|Neodymium,Nd|Samarium,Sm|Europium,Eu|Gadolinium,Gd|Terbium,Tb
Tungsten,W|Platinum,Pt|Gold,Au|Mercury,Hg|Thallium,Tl|Lead,Pb|Bismuth,Bi|Radium,Ra|Radon,Rn|Thorium,Th|Uranium,U|Osmium,Os|Iridium,Ir|Hafnium,Hf|Tantalum,Ta|Rhenium,Re"""

FACTS = """The Earth orbits the Sun.|The Moon orbits the Earth.|Water freezes at 0 degrees Celsius.|Water boils at 100 degrees Celsius at sea level.|The Earth is round.|The Sun is a star.|Jupiter is the largest planet in the solar system.
Mercury is the smallest planet in the solar system.|The human heart pumps blood through the body.|The human heart is located in the chest.|An adult human has 206 bones.|An adult human has 10 fingers.|Humans have two eyes.|Humans have five basic senses.
The Statue of Liberty is located in New York.|The Eiffel Tower is located in Paris.|The Great Wall of China is located in China.|The Grand Canyon is located in the United States.|The Great Barrier Reef is located in Australia.
The Amazon rainforest is located in South America.|The Nile River is located in Africa.|Mount Everest is the highest mountain in the world.|The Pacific Ocean is the largest ocean in the world.|The Sahara is a hot desert in Africa.
Russia is the largest country in the world by area.|Vatican City is the smallest country in the world.|The blue whale is the largest animal in the world.|The elephant is the largest land animal.|The giraffe is the tallest animal in the world.
The cheetah is the fastest land animal.|The largest mammal in the world is the blue whale.|The largest fish in the world is the whale shark.|The largest bird in the world is the ostrich.|The smallest bird in the world is a hummingbird.
Penguins cannot fly.|Sharks are fish.|Dolphins are mammals.|Bats are mammals.|Spiders have eight legs.|Insects have six legs.|Octopuses have three hearts.|Cats are mammals.|Fish breathe with gills.|Birds lay eggs.|Trees are plants.
Plants convert light into chemical energy by photosynthesis.|Photosynthesis produces oxygen.|Plants need water and light to grow.|Roots take up water from the soil.|Bees pollinate flowers.|Sunflowers are yellow.|A potato is a vegetable.
Broccoli is a vegetable.|Bananas are a fruit.|Bread is made from flour.|Cheese is made from milk.|Ice floats in water because it is less dense.|Ice is frozen water.|Steam is water in the form of a gas.|Salt dissolves in water.|Sugar is sweet.
Lemons are sour.|Iron rusts in the presence of oxygen and water.|Gold is a metal.|Diamonds are made of carbon.|Metals conduct electricity.|Light travels faster than sound.|Sound travels through the air as waves.|Gravity attracts objects with mass to each other.
The Earth's rotation on its axis causes day and night.|The tilt of the Earth's axis causes the seasons.|The sun rises in the east.|The sun sets in the west.|Tides are caused by the gravity of the Moon and the Sun.|Mars is called the red planet.
Saturn has rings.|The Earth has one moon.|Our solar system has eight planets.|Comets are made of ice and dust.|Stars produce light and heat.|The Milky Way is a galaxy.|Mars has a thin atmosphere.|Earth's surface is about 71% water.
Nitrogen is the most abundant gas in Earth's atmosphere.|Humans breathe in oxygen.|Humans breathe out carbon dioxide.|The lungs take in oxygen from the air.|The skin is the largest organ of the human body.|The human brain controls the body.
Blood carries oxygen through the body.|Bones support the body.|The stomach helps to digest food.|Teeth are used to chew food.|DNA carries genetic information in living organisms.|Cells are the basic units of life.|Vaccines help to prevent infectious diseases.
Antibiotics are used to treat bacterial infections.|Washing hands helps to prevent disease.|Smoking is harmful to health.|Exercise is good for the heart.|Vitamin C is found in oranges.|Volcanoes can erupt with lava and ash.|Earthquakes are caused by movements of the Earth's crust.
Lightning is a discharge of electricity.|Thunder follows lightning.|Rainbows are formed when light is refracted in drops of water.|Clouds are made of tiny drops of water.|Snow is frozen water.|Deserts receive very little rain.|Antarctica is a very cold continent.
There are seven continents.|There are 365 days in a normal year.|There are seven days in a week.|There are 24 hours in a day.|There are 60 minutes in an hour.|There are 12 months in a year.|A triangle has three sides.|A square has four equal sides.
Two plus two equals four.|Ten is an even number.|Seven is a prime number.|The shortest distance between two points is a straight line.|William Shakespeare wrote Romeo and Juliet.|Leonardo da Vinci painted the Mona Lisa.|Albert Einstein developed the theory of relativity.
Isaac Newton described the law of gravity.|Charles Darwin wrote about evolution.|Neil Armstrong walked on the Moon.|George Washington was the first president of the United States.|Galileo Galilei observed the moons of Jupiter with a telescope.
The first man-made satellite was launched by the Soviet Union.|The Second World War ended in 1945.|The Titanic sank in 1912.|English is spoken in Australia.|Spanish is spoken in Mexico.|Portuguese is spoken in Brazil.|French is spoken in France.
The currency of Japan is the yen.|The currency of the United States is the dollar.|Rice is grown in China.|Coffee is made from coffee beans.|Chocolate is made from cocoa beans.|Wool comes from sheep.|Paper is made from wood.|Glass is made from sand.
Cars can run on gasoline.|Aeroplanes can fly.|Ships travel on water.|A thermometer measures temperature.|A clock shows the time.|A compass points to the north.|A telescope is used to look at distant objects.|A library is a place with many books.
The pH scale measures acidity.|A caterpillar turns into a butterfly.|Tadpoles become frogs.|Kangaroos live in Australia.|Polar bears live in the Arctic.|Penguins live in Antarctica.|Pandas eat bamboo.|Cows eat grass.|Camels live in deserts.|Horses can run fast."""


def pairs(table):
    return [entry.rsplit(",", 1) for line in table.splitlines() for entry in line.split("|")]


def entries(table):
    return [entry.strip() for line in table.splitlines() for entry in line.split("|")]


def true_statements():
    """(topic, statement), with the topics named as in `topic_of`."""
    capitals = pairs(CAPITALS)
    out = [("city", f"{city} is a city in {country}.") for city, country in capitals]
    out += [("name", f"{city} is a name of a city.") for city, _ in capitals[::3]]
    out += [("name", f"{country} is a name of a country.") for _, country in capitals[:110:2]]
    out += [("symbol", f"{name} has the symbol {symbol}.") for name, symbol in pairs(SYMBOLS)]
    out += [("fact", s) for s in entries(FACTS)]
    return out


def mispaired(rng):
    """(topic, statement): each city with the country and each element with the symbol of another, drawn anew at each call; names with the wrong noun."""
    swap = {"city": "country", "country": "city"}
    names = [re.match(r"(.*) is a name of a (\w+)\.", s).groups() for t, s in true_statements() if t == "name"]
    out = [("name", f"{name} is a name of a {swap[noun]}.") for name, noun in names if name not in BOTH]
    for topic, table, form in (("city", CAPITALS, "{} is a city in {}."), ("symbol", SYMBOLS, "{} has the symbol {}.")):
        known = pairs(table)
        for name, own in known:
            other = rng.choice(known)[1]
            while other == own or {own, other} == {"England", "Scotland"}:
                other = rng.choice(known)[1]
            out.append((topic, form.format(name, other)))
    return out


# Cities that are named like their country.
BOTH = {"Panama", "Guatemala", "Mexico", "El Salvador", "Kuwait", "Luxembourg", "Djibouti", "Singapore", "Monaco", "San Marino"}

# The file has more topics. Base itself was asked which it knows something about: how often it gives a true statement
# a higher probability than a false one is 0.91 for cities, 0.80 for symbols, 0.73 for names; but 0.55 to 0.7 for animals'
# features and companies. Those are left out, as are obscure inventors and half truths ("the lion uses running").
TOPICS = [
    ("city", r" is a city in "), ("name", r" is a name of a "), ("symbol", r" has the symbol "),
    (None, r"headquarters|for locomotion|atomic number|standard state| is in the .* group|habitat of| has a diet|uses for|operates in|engages|compan|financ|provi[ds]|holding"),
]

# Lines of the file that are true, doubtful or half true.
DOUBTFUL = ["condensation", "longest river", "unhinge", "The largest volcano", "Octopuses have one", "Mars has the smallest", "chimpanzee uses", "gas turns into a liquid", "prokaryotic", "three main types of chemical",
            "only continent without any deserts", "largest desert", "platypus", "highest point in the United", "seen from space", "bank", "air vessels", "metaphysical", "can be broken down", "Hot springs", "human eye can see", "electron configuration", "appear steady", "symbiotic", "Pizza", "neither wave"]


def topic_of(statement, section):
    for topic, pattern in TOPICS:
        if re.search(pattern, statement):
            return topic
    # What is left is told apart by where it stands in the file, which joins seven lists by their header lines.
    return {"facts": "fact"}.get(section)


def subject(statement):
    """Statements about the same thing are held out together: a true one would give its false sibling away."""
    return re.split(r" is a city in | is a name of | has the symbol | has headquarters in ", statement)[0]


def false_statements(path):
    sections, section = ["animals", "cities", "companies", "elements", "facts", "inventions"], None
    out, rest = [], iter(sections)
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if line.startswith("statement,"):
            section = next(rest, None)
            continue
        topic = topic_of(line, section)
        if not line or topic is None or any(d in line for d in DOUBTFUL):
            continue
        line = re.sub(r"\s+", " ", line).rstrip(".") + "."
        out.append((topic, line))
    return list(dict.fromkeys(out))
