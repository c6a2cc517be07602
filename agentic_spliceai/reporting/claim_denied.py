"""Words that a claim may use only with evidence of that very kind: what they say is seldom or never known here."""

from __future__ import annotations

import re

#: What a sentence says, and what its own evidence must then speak of (beginnings of words, as regular expressions);
#: without any, no evidence can back it.
DENIED: tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), name, stems)
    for pattern, name, stems in (
        # what a number means
        (r"score", "a score", ("score", "brier")),
        (r"probabilit(?:y|ies)|likelihood|odds|chances?", "a probability", ("probabilit",)),
        (r"confiden(?:ce|t|tly)", "confidence", ("confiden", "interval")),
        (r"shares?|proportions?|fractions?", "a share", ("share", "proportion", "fraction")),
        (r"penetran\w+", "penetrance", ("penetran",)),
        (r"frequenc\w+|prevalen\w+|incidence|population|europeans?|alleles?", "a population", ("frequenc", "allele")),
        (r"p[- ]values?", "a p-value", (r"p[- ]?value",)),
        (r"risks?|risky|hazards?|dangers?|dangerous\w*", "a risk", ()),
        (r"copies|aberrant|all transcripts|whole", "an amount of transcript or protein", ()),
        # people and disease
        (r"carriers?|patients?|famil(?:y|ies)|people|persons? (?:with|who)|individuals?|men|women|child(?:ren)?|bab\w+|"
         r"relatives?|parents?|mothers?|fathers?", "people", ()),
        (r"hearts?|failures? of|cardi\w+|cancer\w*|tumou?rs?|breasts?|brain|kidneys?|liver|lungs?|muscles?|blood|"
         r"ill(?:ness)?|sick\w*|symptom\w*|phenotyp\w*|die[sd]?|deaths?|kill\w*|lethal|fatal|damag\w+|harm\w*|malignan\w+|"
         r"morbid\w*|suffer\w*", "disease", ()),
        (r"treat\w*|therap\w*|drugs?|implants?|surger\w+|surgical\w*|screening|counsel\w*|medic\w+|doctors?|clinic\w*",
         "treatment or the clinic", ()),
        (r"founder|de[- ]?novo|inherit\w*|heredit\w*|segregat\w*|dominant\w*|recessive\w*|homozyg\w*|heterozyg\w*",
         "inheritance", ()),
        # where a statement comes from
        (r"stud(?:y|ies)|assays?|laborator\w+|trials?|cohorts?|literature|sequencing|scientists?|researchers?|saw|publish\w*|reported|minigenes?",
         "a study", ("stud", "assay", "minigene")),
        (r"confirm(?:s|ed|ing)?|confirmation(?! in RNA is needed)|validat(?:ed|es|ing)|verif\w+|proves?|proved|proven|"
         r"proofs?|demonstrat\w+|established", "a confirmation", ("confirm", "validated")),
        (r"observ\w+", "an observation", ("observ",)),
        # what a person decides
        (r"assign\w*|final\w*|sign(?:s|ed|ing)|definit\w+|conclusive\w*|certain(?:ly|ty)?|undoubted\w*|sure(?:ly)?|"
         r"highest code|reclassif\w*|classif(?:y|ied|ies)", "a decision", ()),
        # that nothing happens
        (r"tolerat\w+|neutral\w*|irrelevan\w+|health\w*|safe\w*|innocuous|silent|common|unaffected|unimpaired|unharmed|"
         r"spared?|spares|normal(?:ly)?|stable|surviv\w+|fine(?!-)|rescued?|restor\w+|despite|keeps its|compensat\w+",
         "a harmless outcome", ("silent",)),
        (r"intact|unchanged|unaltered|preserved", "an unchanged thing", ("intact", "unchanged", "in frame")),
        # events
        (r"dropped|left out|leaves? out|missing|removed?|removes|omit\w*|exclud\w+|spliced out|lacks?|lacking|"
         r"deleted?|gone", "a part that is left out", ("skip", "missing", "lost", "delet", "left out", "outside")),
        (r"ablat\w*|los(?:es?|t|ing)|loss(?:es)?|abolish\w*|destroy\w*|vanish\w*|disappear\w*|eliminat\w*|weaken\w*",
         "a loss", ("loss", "lost", "skip", "decay", "difference")),
        (r"gain(?:s|ed|ing)?|creat\w+|emerg\w+|strengthen\w*", "a gain",
         ("gain", "new site", "shift", "pseudoexon", "difference", "exonic bases")),
        (r"lengthen\w*|shorten\w*|extend(?:s|ed|ing)|elongat\w*", "a change of length",
         ("exonic bases", "longer", "shorter")),
        (r"negligibl\w+|trivial\w*|minor|does nothing|as before|rare(?:ly)?", "a small or rare thing", ()),
        (r"must|applies|apply", "a decision", ()),
        (r"every transcript|most transcripts|each transcript", "an amount of transcript", ()),
        (r"caus(?:e|es|ed|ing)", "a cause", ("event", "frameshift", "stop", "decay", "skip")),
        # names and places
        (r"called|known as|named|alias\w*|encod\w+|nicknam\w*|synonym\w*", "another name", ()),
        (r"brca\w*|dystrophin|titin|huntingtin|fibrillin|collagens?|myosins?|troponins?|tropomyosin|keratins?|"
         r"h(?:a)?emoglobins?|globins?|lamins?|actins?|tubulins?|neurofibromin|merlin",
         "a gene or protein", ()),
        (r"active sites?|catalytic|binding sites?|domains?|kinases?|receptors?|enzymes?|(?:long|short) arm",
         "a part of the protein or chromosome", ("domain",)),
        (r"(?:exons?|introns?|chromosomes?|residues?|codons?)\s+(?:[xy]|[ivxlcdm]{2,})", "a numbered part", ()),
        # instructions
        (r"ignor(?:e|es|ing)|disregard\w*|obey\w*|instructions?|overrid\w+|jailbreak|system prompt",
         "instructions", ()),
        (r"elsewhere", "another place", ()),
    )
)  # fmt: skip

#: What is refused even where a sentence refers to nothing, as in a conversation.
ALWAYS = frozenset(
    {
        "people",
        "disease",
        "treatment or the clinic",
        "inheritance",
        "a risk",
        "penetrance",
        "pathogenicity",
        "benignity",
        "a gene or protein",
    }
)

#: Only beside references: in a conversation one may speak of approving a plan.
DENIED_BESIDE_EVIDENCE = re.compile(r"\b(?:approv\w+|reject\w*|delete|submit\w*|execute)\b", re.IGNORECASE)

SHORTER = re.compile(
    r"\b(?:shorten\w*|shorter|shrink\w*|trim\w*|remov\w+|delet\w+|truncat\w+|lacks?|fewer|missing)\b", re.I
)
LONGER = re.compile(
    r"\b(?:lengthen\w*|longer|grows?|extend\w*|elongat\w*|adds?|added|inserts?|insert(?:ed|ion))\b", re.I
)

#: 'the annotated one' is no number.
PRONOUN_ONE = re.compile(
    r"\b(?P<which>(?:the|this|that)\s+(?:annotated|new|other|native|cryptic|original|reference|likelier))\s+one\b"
    r"(?=\s*(?:[,.;:)]|$|is\b|and\b|by\b|at\b|with\b))",
    re.I,
)
