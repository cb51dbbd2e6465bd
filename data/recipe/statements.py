"""True and false statements in the same formats, so that the difference is truth and not form.

Each city, element and fact comes as often in a true statement as in a false one: the pairing must decide and not the name.
"""

import re

from facts import fact_pairs

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
Sao Paulo,Brazil|Rio de Janeiro,Brazil|Medellin,Colombia|Bogota,Colombia|Guadalajara,Mexico|Perth,Australia|Brisbane,Australia|Auckland,New Zealand|Haifa,Israel|Dubai,United Arab Emirates|Bergen,Norway|Gothenburg,Sweden
Leeds,England|Bristol,England|Oxford,England|Cambridge,England|Nottingham,England|Aberdeen,Scotland|Belfast,Northern Ireland|Cardiff,Wales|Nice,France|Toulouse,France|Strasbourg,France|Lille,France|Nantes,France|Stuttgart,Germany
Dresden,Germany|Leipzig,Germany|Bremen,Germany|Hanover,Germany|Nuremberg,Germany|Palermo,Italy|Genoa,Italy|Bologna,Italy|Verona,Italy|Pisa,Italy|Malaga,Spain|Bilbao,Spain|Granada,Spain|Zaragoza,Spain|Gdansk,Poland|Wroclaw,Poland
Lodz,Poland|Odessa,Ukraine|Lviv,Ukraine|Basel,Switzerland|Lausanne,Switzerland|Innsbruck,Austria|Graz,Austria|Brno,Czech Republic|Malmo,Sweden|Aarhus,Denmark|Thessaloniki,Greece|Izmir,Turkey|Aleppo,Syria|Basra,Iraq|Mosul,Iraq
Shiraz,Iran|Mecca,Saudi Arabia|Jeddah,Saudi Arabia|Abu Dhabi,United Arab Emirates|Jaipur,India|Hyderabad,India|Pune,India|Ahmedabad,India|Peshawar,Pakistan|Kandahar,Afghanistan|Yokohama,Japan|Kobe,Japan|Sapporo,Japan|Fukuoka,Japan
Shenzhen,China|Wuhan,China|Nanjing,China|Chengdu,China|Tianjin,China|Cebu,Philippines|Ho Chi Minh City,Vietnam|Adelaide,Australia|Hobart,Australia|Darwin,Australia|Christchurch,New Zealand|Dunedin,New Zealand|Calgary,Canada
Edmonton,Canada|Winnipeg,Canada|Philadelphia,United States|Dallas,United States|Phoenix,United States|Detroit,United States|Atlanta,United States|San Francisco,United States|San Diego,United States|Las Vegas,United States
Portland,United States|New Orleans,United States|Nashville,United States|Tijuana,Mexico|Monterrey,Mexico|Cancun,Mexico|Cali,Colombia|Cusco,Peru|Rosario,Argentina|Salvador,Brazil|Recife,Brazil|Durban,South Africa|Kumasi,Ghana
Ibadan,Nigeria|Marrakesh,Morocco|Giza,Egypt|Luxor,Egypt|Kharkiv,Ukraine|Novosibirsk,Russia|Vladivostok,Russia"""

SYMBOLS = """Hydrogen,H|Helium,He|Lithium,Li|Beryllium,Be|Boron,B|Carbon,C|Nitrogen,N|Oxygen,O|Fluorine,F|Neon,Ne|Sodium,Na|Magnesium,Mg|Aluminum,Al|Silicon,Si|Phosphorus,P|Sulfur,S|Chlorine,Cl|Argon,Ar|Potassium,K|Calcium,Ca
Scandium,Sc|Titanium,Ti|Vanadium,V|Chromium,Cr|Manganese,Mn|Iron,Fe|Cobalt,Co|Nickel,Ni|Copper,Cu|Zinc,Zn|Gallium,Ga|Germanium,Ge|Arsenic,As|Selenium,Se|Bromine,Br|Krypton,Kr|Rubidium,Rb|Strontium,Sr|Yttrium,Y|Zirconium,Zr
Niobium,Nb|Molybdenum,Mo|Rhodium,Rh|Palladium,Pd|Silver,Ag|Cadmium,Cd|Indium,In|Tin,Sn|Antimony,Sb|Iodine,I|Xenon,Xe|Cesium,Cs|Barium,Ba|Lanthanum,La|Cerium,Ce|Neodymium,Nd|Samarium,Sm|Europium,Eu|Gadolinium,Gd|Terbium,Tb
Tungsten,W|Platinum,Pt|Gold,Au|Mercury,Hg|Thallium,Tl|Lead,Pb|Bismuth,Bi|Radium,Ra|Radon,Rn|Thorium,Th|Uranium,U|Osmium,Os|Iridium,Ir|Hafnium,Hf|Tantalum,Ta|Rhenium,Re"""

def pairs(table):
    return [entry.rsplit(",", 1) for line in table.splitlines() for entry in line.split("|")]


def by_subject(published, rng):
    """(topic, subject, true statement, false statements); a published false statement comes first where there is one."""
    wrong = {}
    for statement in published:
        wrong.setdefault(subject(statement), []).append(statement)
    out = []
    for topic, table, form in (("city", CAPITALS, "{} is a city in {}."), ("symbol", SYMBOLS, "{} has the symbol {}.")):
        known = pairs(table)
        for name, own in known:
            others = sorted({other for _, other in known} - {own} - ({"England", "Scotland"} if own in ("England", "Scotland") else set()))
            # As often as they are right for others: a country must not be the sign of a false statement.
            drawn = [other for _, other in rng.sample(known, 12) if other in others]
            false = wrong.get(name, [])[:1] + [form.format(name, other) for other in dict.fromkeys(drawn)]
            out.append((topic, name, form.format(name, own), list(dict.fromkeys(false))))
    return out + [(f"fact: {topic}", true, true, [false]) for topic, true, false in fact_pairs()]


# The published file has more topics. Base itself was asked which it knows something about: how often it gives a true statement
# a higher probability than a false one is 0.91 for cities and 0.80 for symbols; but 0.55 to 0.7 for animals' features and companies.
def published_false(path):
    """The file's false statements about cities and elements' symbols."""
    lines = [re.sub(r"\s+", " ", line.strip()).rstrip(".") + "." for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in dict.fromkeys(lines) if re.search(r" is a city in | has the symbol ", line)]


def subject(statement):
    """What is held out together: a true statement would give its false twin away."""
    return re.split(r" is a city in | has the symbol ", statement)[0]
