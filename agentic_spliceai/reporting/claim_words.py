"""The words that a claim may or may not use without evidence behind them; read by `claims`."""

from __future__ import annotations

import re

#: Punctuation beyond ASCII that prose may hold. Everything else that is not ASCII is refused: digits, letters and
#: signs of other scripts look like ours and are read as ours.
TYPOGRAPHY = frozenset("‘’“”–—…")

#: ASCII that is markup, a link, an operator or an entity rather than prose.
MARKUP = frozenset("<>[]`*_#|\\&~^=@$%+/")

ABBREVIATIONS = frozenset(
    {
        "ACMG", "ALT", "AMP", "ClinGen", "CPU", "DNA", "GPU", "HGVS", "MANE", "mRNA", "NMD", "PSI", "REF", "RNA", "SNV",
        "SVI", "UTR", "VCF", "AUC", "ROC", "ID",
    }
)  # fmt: skip
"""Capitals that are ordinary words of the field; anything else with capitals is taken for a name."""

#: Words that may start with a capital inside a sentence.
CAPITALISED = frozenset({"Pearson", "Spearman", "Brier"})

_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fourty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "twentieth", "thirtieth", "fortieth", "fiftieth", "sixtieth", "seventieth", "eightieth", "ninetieth",
    "hundredth", "thousandth", "millionth", "billionth", "trillionth", "seconds",
    "thirds", "fourths", "fifths", "sixths", "sevenths", "eighths", "ninths", "tenths", "hundredths",
)  # fmt: skip
_OTHERS = (
    "once", "twice", "thrice", "half", "halves", "halved", "halving", "halve", "quarter", "quarters", "dozen", "dozens",
    "hundred", "hundreds", "thousand", "thousands", "million", "millions", "billion", "billions",
    "trillion", "trillions", "umpteen", "double", "doubled",
    "doubles", "doubling", "triple", "tripled", "triples", "quadruple", "quadrupled", "percent", "percentage",
    "percentile", "nil", "nought", "naught", "single", "couple", "pair",
)  # fmt: skip
NUMBER_WORDS = frozenset((*_UNITS, *_TENS, *_ORDINALS, *_OTHERS)) | {f"{word}s" for word in _UNITS}
NUMBER_SHAPES = re.compile(
    # manifold; thirteenth; Roman numerals in small letters
    r"^(?:\w+fold|(?:thir|four|fif|six|seven|eigh|nine)teenths?|"
    r"(?!mix$)(?=[ivxlcdm]{2,}$)m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3}))$"
)

#: Beginnings of codes, in any case: their digit may be spelled out, Roman or missing.
CODE_STEMS = frozenset({"pvs", "ps", "pm", "pp", "ba", "bs", "bp"})

#: A code with its number spelled out.
SPELLED_CODE = re.compile(
    r"^(?:pvs|ps|pm|pp|ba|bs|bp)[-_]?(?:one|two|three|four|five|six|seven|i{1,3}|iv|vi{0,2})$", re.IGNORECASE
)

AMINO_ACIDS = re.compile(
    r"^(?:alanine|arginine|asparagine|aspartate|aspartic|cysteine|glutamine|glutamate|glutamic|glycine|histidine|"
    r"isoleucine|leucine|lysine|methionine|phenylalanine|proline|serine|threonine|tryptophan|tyrosine|valine|"
    r"adenine|cytosine|guanine|thymine|uracil|adenosine|cytidine|guanosine|thymidine|uridine)s?$"
)
HGVS = re.compile(r"(?<![A-Za-z])[cgmnpr]\.[\s(]*[A-Za-z0-9*?(=]")
CONTIG = re.compile(r"\bchr(?:omosome)?[\s_-]*(?:[0-9XYM]|MT)", re.IGNORECASE)
TRANSCRIPT = re.compile(r"\b(?:N[MRPCGTW]_|X[MRP]_|ENS[TGPE]|LRG|CCDS)", re.IGNORECASE)
LINK = re.compile(r"https?:|www\.|://|\bhref\b|\bjavascript\b|\bdata:", re.IGNORECASE)

#: Right before a value they make another one of it; so do these right after it.
BEFORE_VALUE = re.compile(
    r"(?:\bminus|\bnegative|\bmore than|\bless than|\bfewer than|\bat least|\bat most|\bup to|\bdown to|\bnot|"
    r"\broughly|\bapproximately|\bnearly|\balmost|\baround|\bfraction of)\s+$",
    re.I,
)
AFTER_VALUE = re.compile(
    r"^\s*(?:per\s+cent|times|point|dot|kb|mb|kilobases?|megabases?|bp|nt|nucleotides?|bases?|base pairs?|residues?|"
    r"amino acids?|codons?|exons?|introns?|samples?|variants?|seconds?|minutes?|hours?|days?|dollars?|usd|"
    r"thousand|million|orders? of magnitude|or (?:more|less|fewer)|and (?:more|then some)|to the power)\b",
    re.I,
)

#: What a sentence says, and what its own evidence must then speak of: beginnings of words, as regular expressions.
BACKED_WORDS: tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), name, stems)
    for pattern, name, stems in (
        (r"\bskip\w*", "exon skipping", ("skip",)),
        (r"\b(?:retention|retain\w*)", "intron retention", ("retention", "retain")),
        (r"\bpseudo-?exons?", "a pseudoexon", ("pseudoexon",)),
        (r"\bdonors?\b", "a donor", ("donor",)),
        (r"\bacceptors?\b", "an acceptor", ("acceptor",)),
        (r"\bframe-?shift\w*|\bout[- ]of[- ]frame|\bshifts? the (?:reading )?frame",
         "a frameshift", ("frameshift", r"\w*fs(?:ter|\*|\?)")),
        (
            r"\bin[- ]frame\b|\bframe (?:is |remains |stays )?(?:kept|preserved|maintained|intact|unchanged)|"
            r"\b(?:keeps?|preserv\w+|maintain\w*) the (?:reading )?frame",
            "a kept frame",
            ("in frame", "divisible"),
        ),
        (r"\bnmd\b|\bnonsense[- ]mediated|\bdecay\w*|\bdegrad\w+", "decay", ("nmd", "decay")),
        (r"\bescap\w+", "escape from decay", ("escape",)),
        (r"\bstop codons?|\bpremature\w*|\btruncat\w+", "a stop codon", ("stop", "truncat", r"\w*ter[\d)]")),
        (r"\bpathogenic\w*|\bdeleterious\w*", "pathogenicity", ("pathogenic",)),
        (r"\bbenign\w*|\bharmless\w*", "benignity", ("benign",)),
        (r"\bdiagnos\w+|\bdiseases?\b|\bdisorders?\b|\bsyndromes?\b", "disease", ("disease", "disorder", "syndrome")),
        (r"\bstrong(?:ly)?\b", "strength", ("strong",)),
        (r"\bmoderate(?:ly)?\b", "strength", ("moderate",)),
        (r"\bweak(?:ly)?\b", "strength", ("weak",)),
        (r"\bcalibrated\b", "calibration", ("calibrated",)),
        (r"\bsignificant(?:ly)?\b", "significance", ("stands out", "significan")),
        (r"\bROC\b", "a measure", ("roc",)),
    )
)  # fmt: skip

GAIN_WORDS = re.compile(
    r"\b(?:gain\w*|increas\w*|strengthen\w*|rais\w+|rises?|rising|stronger|appears?(?! (?:to|that))|emerges?|aris\w+|"
    r"creat\w+)\b",
    re.I,
)
LOSS_WORDS = re.compile(
    r"\b(?:loss(?:es)?|loses?|losing|lost|decreas\w*|weaken\w*|weaker|abolish\w*|destroy\w*|reduc\w+|disrupt\w*|"
    r"falls?|drops?|vanish\w*|disappears?)\b",
    re.I,
)
UP_WORDS = re.compile(
    r"\b(?:higher|better|best|improv\w+|outperform\w*|exceed\w*|increas\w*|gain\w*|greater|larger|ahead|beats?|wins?|"
    r"superior|surpass\w*|above)\b",
    re.I,
)
DOWN_WORDS = re.compile(
    r"\b(?:lower|worse|worst|underperform\w*|decreas\w*|smaller|behind|poorer|inferior|loses?|below|fell|drops?)\b",
    re.I,
)

DECAY_WORDS = re.compile(
    r"\b(?:decays|decayed|degrad\w+|triggers?|targeted|subject|undergo\w*|removed|destroyed|eliminated)\b", re.I
)
ESCAPE_WORDS = re.compile(r"\b(?:escap\w+|avoid\w*|no|not|without)\b", re.I)

NEGATIONS = re.compile(
    r"\b(?:no|not|never|none|neither|nor|without|cannot|hardly|barely|fails?|absent|absence)\b|n[’']t\b", re.I
)
UNAFFIRMED = frozenset(
    {"none", "escapes", "not_applicable", "unknown", "no_coding_change", "non_coding", "not_distinguished"}
)
"""Values of evidence that a sentence may tell in the negative."""

#: A sentence that speaks of any of this states a fact, and needs a reference.
FACTS = re.compile(
    r"\b(?:exons?|introns?|donors?|acceptors?|splic\w+|scores?|probabilit\w+|frames?|proteins?|decay\w*|NMD|loss(?:es)?|"
    r"lost|gains?|gained|skip\w*|retain\w*|retention|pseudoexons?|cryptic|increas\w+|decreas\w+|higher|lower|better|"
    r"worse|outperform\w*|improv\w+|strong\w*|weak\w*|codons?|residues?|amino|transcripts?|genes?|variants?|"
    r"pathogenic\w*|benign\w*|models?|thresholds?|predict\w*|show\w*|found|caus\w+|affect\w*|alter\w*|chang\w+|"
    r"seeds?|intervals?|differ\w*|measur\w*|calibrat\w+|significan\w+|codes?|diseases?|clinical\w*|reached|trained)\b",
    re.I,
)
