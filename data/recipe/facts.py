"""General facts, each with a false twin in the same form: what must decide is whether it is so. "true / false", by topic."""

FACTS = {
    # What was held out of the first adapter, with twins of our own; held out ever since.
    "held out before": """
A clock shows the time. / A clock shows the weight.
Cars can run on gasoline. / Cars can run on lemonade.
Clouds are made of tiny drops of water. / Clouds are made of cotton.
Mars is called the red planet. / Venus is called the red planet.
Penguins cannot fly. / Penguins can fly.
The largest mammal in the world is the blue whale. / The largest mammal in the world is the rabbit.
Jupiter is mostly made of hydrogen and helium. / Jupiter is mostly made of iron and oxygen.
Photosynthesis is the process by which plants convert light into chemical energy. / Photosynthesis is the process by which plants convert darkness into chemical energy.
The Sahara is the largest hot desert. / The Sahara is the smallest hot desert.
The largest flower in the world is the rafflesia. / The largest flower in the world is the daisy.
The largest tree in the world is a sequoia. / The largest tree in the world is a cactus.
The periodic table organizes elements based on their properties. / The periodic table scatters elements based on their properties.
""",
    "space": """
The Earth orbits the Sun. / The Sun orbits the Earth.
The Moon orbits the Earth. / The Moon orbits Jupiter.
The Earth is round. / The Earth is flat.
The Sun is a star. / The Sun is a planet.
Jupiter is the largest planet in the solar system. / Mercury is the largest planet in the solar system.
Mercury is the planet closest to the Sun. / Neptune is the planet closest to the Sun.
Saturn has rings. / Saturn has no rings.
The Earth has one moon. / The Earth has five moons.
Our solar system has eight planets. / Our solar system has twenty planets.
Comets are made of ice and dust. / Comets are made of wood.
Stars produce light and heat. / Stars produce darkness and cold.
The Milky Way is a galaxy. / The Milky Way is an ocean.
The Sun is hot. / The Sun is cold.
The sun rises in the east. / The sun rises in the west.
The sun sets in the west. / The sun sets in the north.
The Moon is smaller than the Earth. / The Moon is larger than the Earth.
Astronauts travel into space. / Astronauts travel under the sea.
Venus is a planet. / Venus is a moon of the Earth.
The Earth takes a year to orbit the Sun. / The Earth takes a day to orbit the Sun.
""",
    "earth": """
The Eiffel Tower is located in Paris. / The Eiffel Tower is located in Moscow.
The Statue of Liberty is located in New York. / The Statue of Liberty is located in Berlin.
The Great Wall of China is located in China. / The Great Wall of China is located in Italy.
The Grand Canyon is located in the United States. / The Grand Canyon is located in Egypt.
The Great Barrier Reef is located in Australia. / The Great Barrier Reef is located in Norway.
The Amazon rainforest is located in South America. / The Amazon rainforest is located in Europe.
The Nile River is located in Africa. / The Nile River is located in Australia.
The Sahara is a desert in Africa. / The Sahara is a desert in Canada.
The Alps are mountains in Europe. / The Alps are mountains in Africa.
The pyramids of Giza are located in Egypt. / The pyramids of Giza are located in Japan.
Mount Everest is the highest mountain in the world. / Mount Fuji is the highest mountain in the world.
The Pacific Ocean is the largest ocean in the world. / The Arctic Ocean is the largest ocean in the world.
Russia is the largest country in the world by area. / Belgium is the largest country in the world by area.
Vatican City is the smallest country in the world. / Canada is the smallest country in the world.
Antarctica is a very cold continent. / Antarctica is a very hot continent.
There are seven continents. / There are thirty continents.
Deserts receive very little rain. / Deserts receive a lot of rain.
Volcanoes can erupt with lava and ash. / Volcanoes can erupt with milk and honey.
Lightning is a discharge of electricity. / Lightning is a kind of animal.
Thunder follows lightning. / Thunder follows a rainbow.
Snow is frozen water. / Snow is frozen oil.
Rainbows are formed by light and drops of water. / Rainbows are formed by wind and sand.
Tides are caused by the gravity of the Moon. / Tides are caused by the gravity of Pluto.
An island is surrounded by water. / An island is surrounded by mountains.
The sea is salty. / The sea is sweet.
""",
    "animals": """
The giraffe is the tallest animal in the world. / The rabbit is the tallest animal in the world.
The cheetah is the fastest land animal. / The turtle is the fastest land animal.
The elephant is larger than the mouse. / The mouse is larger than the elephant.
The largest bird in the world is the ostrich. / The largest bird in the world is the sparrow.
Eagles can fly. / Eagles cannot fly.
Sharks are fish. / Sharks are birds.
Dolphins are mammals. / Dolphins are insects.
Bats are mammals. / Bats are reptiles.
Cats are mammals. / Cats are plants.
Snakes are reptiles. / Snakes are mammals.
Frogs are amphibians. / Frogs are birds.
Spiders have eight legs. / Spiders have four legs.
Insects have six legs. / Insects have ten legs.
Dogs have four legs. / Dogs have six legs.
Snakes have no legs. / Snakes have four legs.
Fish breathe with gills. / Fish breathe with their ears.
Birds lay eggs. / Cows lay eggs.
Birds have feathers. / Birds have fur.
Bees make honey. / Bees make milk.
Cows give milk. / Cows give honey.
Cows eat grass. / Cows eat stones.
Lions eat meat. / Lions eat only grass.
Pandas eat bamboo. / Pandas eat paper.
Wool comes from sheep. / Wool comes from fish.
Kangaroos live in Australia. / Kangaroos live in Sweden.
Polar bears live in the Arctic. / Polar bears live in the Sahara.
Camels live in deserts. / Camels live in the ocean.
Whales live in the sea. / Whales live in trees.
Monkeys climb trees. / Whales climb trees.
Horses can run fast. / Snails can run fast.
A caterpillar turns into a butterfly. / A caterpillar turns into a frog.
Tadpoles become frogs. / Tadpoles become birds.
A puppy is a young dog. / A puppy is a young horse.
A kitten is a young cat. / A kitten is a young cow.
""",
    "plants and food": """
Trees are plants. / Trees are animals.
Plants need water and light to grow. / Plants need sugar and darkness to grow.
Photosynthesis produces oxygen. / Photosynthesis produces gold.
Roots take up water from the soil. / Flowers take up water from the soil.
Bees pollinate flowers. / Sharks pollinate flowers.
Sunflowers are yellow. / Sunflowers are black.
Grass is green. / Grass is purple.
A potato is a vegetable. / A potato is a fruit.
Broccoli is a vegetable. / Broccoli is a fish.
Bananas are a fruit. / Bananas are a meat.
An apple is a fruit. / An apple is a vegetable.
A rose is a flower. / A rose is a fish.
An oak is a tree. / An oak is a bird.
Bread is made from flour. / Bread is made from sand.
Cheese is made from milk. / Cheese is made from wood.
Butter is made from milk. / Butter is made from apples.
Wine is made from grapes. / Wine is made from potatoes.
Chocolate is made from cocoa beans. / Chocolate is made from rice.
Coffee is made from coffee beans. / Coffee is made from mushrooms.
Raisins are dried grapes. / Raisins are dried carrots.
Honey is sweet. / Honey is sour.
Sugar is sweet. / Sugar is bitter.
Lemons are sour. / Lemons are salty.
Carrots are orange. / Carrots are blue.
Rice is grown in China. / Rice is grown in Antarctica.
Vitamin C is found in oranges. / Vitamin C is found in stones.
""",
    "body and health": """
The human heart pumps blood through the body. / The human stomach pumps blood through the body.
The human heart is located in the chest. / The human heart is located in the leg.
The human brain is located in the head. / The human brain is located in the foot.
An adult human has 206 bones. / An adult human has 12 bones.
A human hand has five fingers. / A human hand has nine fingers.
Humans have two eyes. / Humans have four eyes.
Humans have two lungs. / Humans have seven lungs.
Humans breathe in oxygen. / Humans breathe in helium.
Humans breathe out carbon dioxide. / Humans breathe out gold dust.
The lungs take in oxygen from the air. / The kidneys take in oxygen from the air.
The skin is the largest organ of the human body. / The eye is the largest organ of the human body.
The brain controls the body. / The hair controls the body.
Blood is red. / Blood is green.
Blood carries oxygen through the body. / Hair carries oxygen through the body.
Bones support the body. / Nails support the body.
The stomach helps to digest food. / The ear helps to digest food.
Teeth are used to chew food. / Teeth are used to hear sounds.
The eyes are used to see. / The eyes are used to smell.
The ears are used to hear. / The ears are used to taste.
DNA carries genetic information. / Sweat carries genetic information.
Vaccines help to prevent infectious diseases. / Vaccines help to cause infectious diseases.
Antibiotics are used to treat bacterial infections. / Antibiotics are used to treat broken windows.
Washing hands helps to prevent disease. / Washing hands helps to spread disease.
Smoking is harmful to health. / Smoking is good for health.
Exercise is good for the heart. / Exercise is bad for the heart.
Sleep is important for health. / Sleep is dangerous for health.
""",
    "science": """
Water freezes at 0 degrees Celsius. / Water freezes at 50 degrees Celsius.
Water boils at 100 degrees Celsius at sea level. / Water boils at 10 degrees Celsius at sea level.
Ice is frozen water. / Ice is frozen milk.
Ice is cold. / Ice is hot.
Fire is hot. / Fire is cold.
Steam is water in the form of a gas. / Steam is iron in the form of a gas.
Ice floats in water. / Iron floats in water.
Salt dissolves in water. / Stone dissolves in water.
Wood can burn. / Water can burn.
Gold is a metal. / Gold is a gas.
Iron is a metal. / Iron is a liquid.
Oxygen is a gas. / Oxygen is a metal.
Diamonds are made of carbon. / Diamonds are made of iron.
Metals conduct electricity. / Plastics conduct electricity.
Light travels faster than sound. / Sound travels faster than light.
Gravity pulls objects down. / Gravity pushes objects up.
Water is made of hydrogen and oxygen. / Water is made of iron and gold.
A magnet attracts iron. / A magnet attracts wood.
Glass is made from sand. / Glass is made from milk.
Paper is made from wood. / Paper is made from iron.
Cells are the basic units of life. / Stones are the basic units of life.
The pH scale measures acidity. / The pH scale measures distance.
A thermometer measures temperature. / A thermometer measures weight.
Nitrogen is the most abundant gas in Earth's atmosphere. / Helium is the most abundant gas in Earth's atmosphere.
""",
    "numbers and time": """
There are 365 days in a normal year. / There are 200 days in a normal year.
There are seven days in a week. / There are nine days in a week.
There are 24 hours in a day. / There are 40 hours in a day.
There are 60 minutes in an hour. / There are 15 minutes in an hour.
There are 60 seconds in a minute. / There are 500 seconds in a minute.
There are 12 months in a year. / There are 20 months in a year.
There are 100 years in a century. / There are 30 years in a century.
A triangle has three sides. / A triangle has seven sides.
A square has four equal sides. / A square has six equal sides.
A circle is round. / A circle is square.
Two plus two equals four. / Two plus two equals nine.
Three plus four equals seven. / Three plus four equals twelve.
Ten is an even number. / Nine is an even number.
Seven is a prime number. / Eight is a prime number.
One hundred is larger than ten. / Ten is larger than one hundred.
A dozen is twelve. / A dozen is thirty.
Monday comes after Sunday. / Monday comes after Thursday.
January is the first month of the year. / August is the first month of the year.
December is the last month of the year. / April is the last month of the year.
Summer is warmer than winter. / Winter is warmer than summer.
""",
    "people and history": """
William Shakespeare wrote Romeo and Juliet. / Albert Einstein wrote Romeo and Juliet.
Leonardo da Vinci painted the Mona Lisa. / Charles Darwin painted the Mona Lisa.
Albert Einstein developed the theory of relativity. / Napoleon developed the theory of relativity.
Isaac Newton described the law of gravity. / Mozart described the law of gravity.
Charles Darwin wrote about evolution. / Beethoven wrote about evolution.
Neil Armstrong walked on the Moon. / Julius Caesar walked on the Moon.
George Washington was the first president of the United States. / Barack Obama was the first president of the United States.
Galileo Galilei observed the moons of Jupiter. / Cleopatra observed the moons of Jupiter.
The Second World War ended in 1945. / The Second World War ended in 1745.
The Titanic sank in 1912. / The Titanic sank in 2012.
Mozart was a composer. / Mozart was an astronaut.
Picasso was a painter. / Picasso was a president.
Charles Dickens was a writer. / Charles Dickens was a swimmer.
Napoleon was born in Corsica. / Napoleon was born in Australia.
Julius Caesar was a Roman. / Julius Caesar was a Canadian.
Nelson Mandela was a president of South Africa. / Nelson Mandela was a president of Norway.
Marie Curie was a scientist. / Marie Curie was a football player.
Abraham Lincoln was a president of the United States. / Abraham Lincoln was a king of France.
""",
    "places and languages": """
English is spoken in Australia. / Finnish is spoken in Australia.
Spanish is spoken in Mexico. / Russian is spoken in Mexico.
Portuguese is spoken in Brazil. / Japanese is spoken in Brazil.
French is spoken in France. / Chinese is spoken in France.
German is spoken in Austria. / Hindi is spoken in Austria.
The currency of Japan is the yen. / The currency of Japan is the euro.
The currency of the United States is the dollar. / The currency of the United States is the yen.
The currency of Germany is the euro. / The currency of Germany is the rupee.
The capital of Italy is Rome. / The capital of Italy is Tokyo.
The capital of Spain is Madrid. / The capital of Spain is Oslo.
The capital of Egypt is Cairo. / The capital of Egypt is Paris.
The capital of China is Beijing. / The capital of China is London.
Sushi is a dish from Japan. / Sushi is a dish from Ireland.
Tacos are a dish from Mexico. / Tacos are a dish from Norway.
Kenya is a country in Africa. / Kenya is a country in Europe.
Germany is a country in Europe. / Germany is a country in Africa.
India is a country in Asia. / India is a country in South America.
Peru is a country in South America. / Peru is a country in Asia.
The British royal family lives in England. / The British royal family lives in Brazil.
Hollywood is in California. / Hollywood is in Alaska.
""",
    "things": """
Cars have wheels. / Cars have wings.
Aeroplanes can fly. / Bicycles can fly.
Ships travel on water. / Trains travel on water.
A bicycle has two wheels. / A bicycle has nine wheels.
A compass points to the north. / A compass points to the moon.
A telescope is used to look at distant objects. / A telescope is used to cut bread.
A knife is used to cut food. / A spoon is used to cut wood.
A hammer is used to drive nails. / A pillow is used to drive nails.
A library is a place with many books. / A library is a place with many cows.
A hospital is a place for sick people. / A hospital is a place for old cars.
A teacher works in a school. / A teacher works in a volcano.
A doctor treats patients. / A doctor repairs engines.
A baker makes bread. / A baker makes shoes.
A piano is a musical instrument. / A piano is a vegetable.
A guitar has strings. / A drum has strings.
A refrigerator keeps food cold. / A refrigerator keeps food hot.
An umbrella protects from rain. / An umbrella protects from hunger.
A computer can run programs. / A chair can run programs.
Football is played with a ball. / Football is played with a knife.
""",
}


def fact_pairs():
    """(topic, true statement, false statement)."""
    for topic, lines in FACTS.items():
        for line in lines.strip().splitlines():
            true, false = line.split(" / ")
            yield topic, true, false
