"""Names, places and phrases that generated records are made of: several scripts, commas, quotes, line breaks."""

from __future__ import annotations

FIRST_NAMES = (
    "Anna", "Liam", "Noor", "José", "Zoë", "François", "Chloé", "Jürgen", "Łukasz", "Søren", "Đorđe", "Ayşe", "Niamh",
    "Олена", "Иван", "Мария", "Ελένη", "Γιώργος", "محمد", "فاطمة", "שרה", "佳子", "健", "伟", "芳", "민준", "서연",
    "አበበ", "ትግስት", "राम", "सीता", "Thu Hà", "Nguyễn", "Mary-Jane", "Ana María", "Aoife", "D'Angelo", "Kofi", "Wanjiru",
)  # fmt: skip
LAST_NAMES = (
    "Smith", "O'Brien", "Müller", "García Márquez", "Ångström", "Nowak", "Çelik", "van der Berg", "St. John",
    "Шевченко", "Петров", "Παπαδόπουλος", "الحسن", "לוי", "田中", "王", "김", "በቀለ", "शर्मा", "Trần", "Okafor",
    "Johnson, Jr.", 'Burns "Buddy"', "Mac Giolla Phádraig", "Dlamini", "Kamau", "Ramírez", "Dubois", "Rossi", "Silva",
)  # fmt: skip
SALUTATIONS = ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.")
SUFFIXES = ("Jr.", "Sr.", "II", "III", "MD")
TITLES = (
    "Physician", "Nurse Practitioner", "Director, Medical Affairs", "Head of \"Special\" Projects", "Practice Manager",
    "Chief Medical Officer", "Resident", "Médecin généraliste", "Farm Advisor", "Accountant",
)  # fmt: skip
DEPARTMENTS = ("Cardiology", "Pediatrics", "Finance", "R&D", "Field, North", "Oncology")
STREETS = (
    "Main St", "Rue de l'Église", "Königstraße", "Av. Paulista", "Bole Road", "Elm Street, Suite 4", 
    "5th Ave\nFloor 12",
    "Hauptstr.\r\nHinterhaus", 'The "Old" Mill Lane', "中山路", "Nevsky prospekt",
)  # fmt: skip
# city, state, country, postal code stem, latitude, longitude
PLACES = (
    ("Minneapolis", "Minnesota", "United States", "554", 44.977753, -93.265011),
    ("Saint Paul", "Minnesota", "United States", "551", 44.953703, -93.089958),
    ("Duluth", "Minnesota", "United States", "558", 46.786672, -92.100485),
    ("Madison", "Wisconsin", "United States", "537", 43.073052, -89.401230),
    ("München", "Bayern", "Germany", "803", 48.137154, 11.576124),
    ("São Paulo", "São Paulo", "Brazil", "013", -23.550520, -46.633308),
    ("Addis Ababa", "", "Ethiopia", "100", 9.005401, 38.763611),
    ("東京", "東京都", "Japan", "100", 35.689487, 139.691706),
    ("Zürich", "ZH", "Switzerland", "800", 47.376887, 8.541694),
    ("Montréal", "Québec", "Canada", "H2X", 45.501690, -73.567253),
    ("Greenwich", "", "United Kingdom", "SE1", 51.477928, 0.0),
)
COMPANY_WORDS = (
    "North", "Star", "Lake", "Health", "Valley", "União", "Grün", "Pioneer", "Blue", "Summit", "Acme", "Kaffa", "青空",
)  # fmt: skip
COMPANY_ENDINGS = (
    "Clinic",
    "Group, Inc.",
    "GmbH & Co. KG",
    "Partners",
    '"Plus" Ltd',
    "Coop",
    "S.A.",
    "Hospital",
)
PHRASES = (
    "Prefers mornings.", "Call back; ask for \"the boss\".", "Met at the conference, booth 12.", "Ne pas rappeler.",
    "Emoji welcome 😀👍🏽.",
    "Path C:\\temp\\new", "Tab\there", "Line one\nLine two", "Windows line\r\nbreak",
    "50% discount, valid 'til June", "次回は来週。", "Backslash at the end \\", "  leading and trailing  ",
    "\\.", "NULL",
    "=HYPERLINK(\"x\")", "Ünïcödé & <b>markup</b>", "a,b;c|d",
)  # fmt: skip
DOMAINS = ("example.com", "example.org", "mail.example.net", "health.example")
