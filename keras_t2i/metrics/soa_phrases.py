"""Which captions the published SOA draws pictures from, for each label.

A caption is one of a label's if its lower-cased text holds one of the label's
phrases anywhere and none of those that rule it out. Spaces count: most
phrases end with one, so that "a cat." is passed over and "a scar " is a car.

The phrases were read off the published caption files (those of February 2020;
for persons of December 2019), whose 80 choices among their 115,429 captions
of COCO's validation part of 2014 they repeat without an exception. A phrase
that rules out is known only where another label's file shows it.

Slips of those files stand: motorcycles are motor bikes and scooters but not
the word itself; "plane" needs two spaces after it; dogs are one at a time; a
hot dog is one only where no space follows.

Source:
    Hinz et al. 2020, section 4, arXiv:1910.13321, and the authors' files
    SOA/captions/label_*.pkl.
"""

# Label: phrases that choose, phrases that rule out; a bar between them. Labels
# are COCO's, in its order.
_TABLE = {
    "person": ("man |men |person |people |child |children |human ", ""),
    "bicycle": (
        "bike |bikes |bicycle |bicycles ",
        "motor bike|motorbike|dirt bike|motorcycle",
    ),
    "car": (
        "car |cars |auto |autos ",
        "train car|car window|side car|passenger car|rail car|car tire|"
        "subway car|street car",
    ),
    "motorcycle": (
        "motor bike |motorbike |motorbikes |motor cycle |dirt bike |"
        "dirt bikes |scooter |scooters ",
        "",
    ),
    "airplane": ("plane  |planes |jet |jets |aircraft ", ""),
    "bus": ("bus |buses ", ""),
    "train": ("train |trains ", ""),
    "truck": ("truck |trucks ", ""),
    "boat": ("boat |boats |ship |ships ", ""),
    "traffic light": ("traffic light |traffic lights ", ""),
    "fire hydrant": ("hydrant |hydrants ", ""),
    "stop sign": ("stop sign", ""),
    "parking meter": ("parking meter |parking meters ", ""),
    "bench": ("bench |benches ", ""),
    "bird": ("bird |birds ", ""),
    "cat": ("cat |cats |kitten |kittens ", ""),
    "dog": ("dog |pup ", "hot dog |hotdog |chili dog "),
    "horse": ("horse |horses ", ""),
    "sheep": ("sheep ", ""),
    "cow": ("cow |cows ", ""),
    "elephant": ("elephant |elephants ", "toy elephant|stuffed elephant"),
    "bear": ("bear |bears ", "teddy bear|stuffed bear|toy bear|care bear"),
    "zebra": ("zebra |zebras ", ""),
    "giraffe": ("giraffe |giraffes ", ""),
    "backpack": ("backpack |backpacks |rucksack ", ""),
    "umbrella": ("umbrella |umbrellas ", ""),
    "handbag": ("purse |purses |handbag |handbags ", ""),
    "tie": (" tie | ties ", ""),
    "suitcase": ("suitcase |suitcases |suit case |suit cases ", ""),
    "frisbee": ("frisbee |frisbees ", ""),
    "skis": ("skis ", ""),
    "snowboard": ("snowboard |snowboards |snow board |snow boards ", ""),
    "sports ball": (" ball | balls ", ""),
    "kite": ("kite |kites ", ""),
    "baseball bat": ("baseball bat |baseball bats ", ""),
    "baseball glove": ("baseball glove |baseball gloves ", ""),
    "skateboard": ("skateboard |skateboards |skate board |skate boards ", ""),
    "surfboard": ("surfboard |surfboards |surf board |surf boards ", ""),
    "tennis racket": ("racket |rackets ", ""),
    "bottle": ("bottle |bottles ", ""),
    "wine glass": ("wine glass |wine glasses", ""),
    "cup": ("cup |cups ", ""),
    "fork": ("fork |forks ", ""),
    "knife": ("knife |knifes ", ""),
    "spoon": ("spoon |spoons ", ""),
    "bowl": ("bowl |bowls ", "toilet bowl"),
    "banana": ("banana |bananas ", ""),
    "apple": ("apple |apples ", "pineapple|laptop|computer|hardware"),
    "sandwich": ("sandwich |sandwiches", ""),
    "orange": ("oranges ", ""),
    "broccoli": ("broccoli ", ""),
    "carrot": ("carrot |carrots ", ""),
    "hot dog": ("hotdog|hot dog|chili dog|corn dog|cheese dog", "dog |dogs "),
    "pizza": ("pizza |pizzas ", ""),
    "donut": ("donut |donuts ", ""),
    "cake": ("cake |cakes ", "cupcake|cup cake"),
    "chair": (" chair | chairs ", ""),
    "couch": ("couch |couches |sofa |sofas ", ""),
    "potted plant": ("potted plant |potted plants ", ""),
    "bed": (" bed | beds ", ""),
    "dining table": (" table | tables |desk |desks ", ""),
    "toilet": ("toilet |toilets ", ""),
    "tv": ("tv |tvs |monitor |monitors |screen |screens ", ""),
    "laptop": ("laptop |laptops ", ""),
    "mouse": ("computer mouse ", ""),
    "remote": ("remote ", ""),
    "keyboard": ("keyboard |keyboards ", ""),
    "cell phone": ("cell phone |cell phones |mobile phone |mobile phones ", ""),
    "microwave": ("microwave |microwaves ", ""),
    "oven": ("oven ", "microwave oven"),
    "toaster": ("toaster ", ""),
    "sink": ("sink ", ""),
    "refrigerator": ("refrigerator |fridge ", ""),
    "book": ("book |books ", ""),
    "clock": ("clock |clocks ", ""),
    "vase": ("vase |vases ", ""),
    "scissors": ("scissor |scissors ", ""),
    "teddy bear": ("teddy bear |teddy bears |teddybear ", ""),
    "hair drier": ("hair dryer |hairdryer |hair drier |hair dryers ", ""),
    "toothbrush": ("toothbrush |tooth brush ", ""),
}

#: Label -> phrases that choose a caption, phrases that rule it out.
PUBLISHED = {
    label: (
        tuple(chosen.split("|")),
        tuple(phrase for phrase in ruled_out.split("|") if phrase),
    )
    for label, (chosen, ruled_out) in _TABLE.items()
}

#: How Darknet, whose detector the paper takes, names some of the labels.
OTHER_NAMES = {
    "motorbike": "motorcycle",
    "aeroplane": "airplane",
    "sofa": "couch",
    "pottedplant": "potted plant",
    "diningtable": "dining table",
    "tvmonitor": "tv",
}
