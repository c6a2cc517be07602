"""The phrases of requests that are the same in every installation: a table, and nothing else.

The names of models, data sets, base models, measures and backends come from `tools.vocabulary`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NUMBERS: Mapping[str, float] = {
    "zero": 0,
    "one": 1,
    "single": 1,
    "two": 2,
    "couple": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "dozen": 12,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "fifty": 50,
    "hundred": 100,
    "thousand": 1000,
    "twice": 2,
    "thrice": 3,
    "half": 0.5,
}

#: Words that are the same in every installation: kind -> value -> phrases, separated by '|'.
PHRASES: Mapping[str, Mapping[Any, str]] = {
    "and": {"and": "and|or|plus|as well as|,|&|/|;"},
    "versus": {"versus": "vs|versus"},
    "against": {"against": "against|compared to|compared with|relative to|with respect to|beside"},
    "to": {"to": "to|through"},
    "base": {"base": "base model|base predictor|base layer|base model scores|scores of"},
    "no": {"no": "no|not|without|w o|never|disable|disabled|don't|dont|excluding|except"},
    "with_without": {"both": "with and without|with or without|with vs without|with versus without|on and off"},
    "filler": {
        "": "a|an|the|of|is|are|be|at|in|it|its|with|using|use|for|on|please|me|my|i|we|us|our|want|would|like|"
        "could|can|you|should|need|let|let's|lets|some|random|different|independent|distinct|set|value|set to|equal|"
        "rate|per|also|just|only|now|then|this|that|these|those|there|by|from|:|=|(|)|.|!|\"|`|'|hi|hello|ok|okay|"
        "from scratch|ourselves|new|own|so|if|when|what's|data|table|benchmark|corpus|model|models|one|ones|network|"
        "measured|each other|again please|do|does|whether|find out|see|know|check|after|out|as|have|get|"
        "but only|keep|while|much|more"
    },
    "under": {
        "under": "under|below|at most|less than|no more than|not more than|up to|max|maximum|maximal|within|"
        "not exceeding|cheaper than|limit|limited to|cap|capped at|in less than|<|<="
    },
    "atleast": {"atleast": "at least|more than|minimum|no less than|over at least|>|>="},
    "about": {"about": "about|around|approximately|roughly|ca|some"},
    "each": {"each": "each|apiece|per model|per arm|per run"},
    "seed": {"seed": "seed|seeds|random seeds|repeat|repeats|replicate|replicates|repetition|repetitions|times|reruns"},
    "money_unit": {"usd": "dollar|dollars|usd|bucks|us dollars", "other": "euro|euros|eur|pounds|gbp"},
    "budget": {"budget": "budget|cost|costs|costing|spend|spending|price|pay"},
    "free": {"free": "for free|free|free of charge|no cost|without cost|without spending|zero cost|for nothing"},
    "time_unit": {
        1 / 3600: "second|seconds|sec|secs|s",
        1 / 60: "minute|minutes|min|mins",
        1.0: "hour|hours|hr|hrs|h",
        24.0: "day|days",
    },
    "duration": {10.0: "overnight|over night|by tomorrow|by tomorrow morning", 60.0: "over the weekend|this weekend"},
    "epoch": {"epoch": "epoch|epochs|passes"},
    "learning_rate": {"lr": "learning rate|learning rates|lr|lrs"},
    "batch": {"batch": "batch size|batch sizes|batch|batches of|batchsize|mini batch"},
    "weight_decay": {"wd": "weight decay|wd"},
    "dropout": {"dropout": "dropout|drop out|dropout rate"},
    "width": {"width": "hidden|hidden dim|hidden size|hidden width|width|channels|hidden units"},
    "accumulate": {"accumulate": "accumulate|accumulation|gradient accumulation|accumulation steps"},
    "smoothing": {"smoothing": "label smoothing|smoothing"},
    "warmup": {"warmup": "warmup|warm up|warmup fraction"},
    "tau": {"tau": "tau"},
    "gamma": {"gamma": "gamma"},
    "patience": {"patience": "patience|patience of"},
    "early_stopping": {"early_stopping": "early stopping|early stop|stop early|stopping early"},
    "balanced": {
        True: "balanced|balanced sampling|class balanced|balance classes|balanced batches|oversampling|"
        "balanced classes|resampling|balance the classes",
        False: "unbalanced|imbalanced|natural prevalence",
    },
    "loss": {
        "focal": "focal loss|focal",
        "quantile": "quantile loss|quantile|pinball loss",
        "mse": "mse|mse loss|squared error|mean squared error",
        "bce": "bce|binary cross entropy|bce loss",
        "multi_task": "multi task loss|multitask loss|multi task",
    },
    "schedule": {
        "cosine": "cosine|cosine schedule|cosine annealing",
        "one_cycle": "one cycle|onecycle|1cycle",
        "plateau": "plateau|reduce on plateau",
        "constant": "constant rate|constant learning rate|constant schedule",
    },
    "precision": {
        "bf16-mixed": "bf16|bfloat16|mixed precision",
        "16-mixed": "fp16|half precision|16 bit",
        "32": "fp32|full precision",
    },
    "window": {"window": "window|context|context size|context length|sequence length|flank|flanking"},
    "nt": {"nt": "nt|bp|nucleotides|bases|base pairs"},
    "layers": {"layers": "layer|layers|blocks|encoder layers"},
    "unfreeze": {
        "unfreeze": (
            "unfreeze|unfrozen|unfreezing|unfreeze the last|train the last|fine tune the last|finetune the last|last"
        )
    },
    "finetune": {"finetune": "fine tune|fine tuned|finetune|finetuned|fine tuning|finetuning"},
    "frozen": {"frozen": "frozen|freeze|frozen encoder|keep frozen"},
    "variant_unit": {"variant": "variant|variants|examples|samples|rows|constructs|data points|mutations"},
    "quick": {"quick": "quick|fast|quickly|short|small|a small|small scale|pilot|first look"},
    "tiny": {"tiny": "tiny|smoke|smoke test|minimal|mini|very small|toy"},
    "full": {
        "full": (
            "full|all|all variants|whole|entire|complete|everything|full data|all of it|full dataset|whole data set"
        )
    },
    "device": {
        "cuda": "gpu|gpus|cuda|nvidia",
        "cpu": "cpu|cpus|cpu only|processor",
        "mps": "mps|apple gpu|metal|m1|m2",
    },
    "gpu_type": {"a40": "a40", "a100": "a100", "h100": "h100", "4090": "rtx 4090|4090", "t4": "t4", "l4": "l4"},
    "baseline": {"baseline": "baseline|reference|control|as baseline|as the baseline"},
    "last": {
        "last": "last time|the last one|the same|same|as before|as last time|like last time|previous|previous one|"
        "like before|once more|latest|most recent|last experiment|last run|last plan|last one|last two|"
        "repeat it|previous experiment"
    },
    "again": {"again": "again|rerun|re run|redo"},
    "but": {"but": "but|except with|however|instead with|this time|but with"},
    "drop": {"drop": "drop|remove|leave out|skip|exclude|take out|get rid of|throw out|forget"},
    "add": {"add": "add|include|also include|also try|throw in|and add|extend"},
    "replace": {"replace": "replace|swap|exchange|substitute"},
    "instead": {"instead": "instead of|rather than|in place of"},
    "change": {
        "change": (
            "make it|change|change it|switch|switch to|set it|go for|make that|use instead|increase|reduce|lower|raise"
        )
    },
    "plan_verb": {
        "plan": (
            "train|retrain|try|evaluate|benchmark|experiment with|plan|plan an experiment|run an experiment|"
            "set up|"
            "measure|test how|test whether|study|investigate|run|test|fit|start|launch|ablate|ablation|sweep|"
            "an experiment|experiment comparing|assess|tune|compete|head to head"
        )
    },
    "compare": {"compare": "compare|comparison|comparing|contrast|pit|rank"},
    "better": {
        "better": (
            "better|best|worse|worst|win|wins|won|beat|beats|outperform|outperforms|improve|improves|help|"
            "helps|matter|matters|useful"
        )
    },
    "why": {"why": "why|how come|what made|explain why|reason|what is the reason"},
    "past": {
        "past": (
            "did|was|were|had|came out|come out|happened|turn out|turned out|helped|improved|reached|got|"
            "found|achieved|performed|has|have|compared"
        )
    },
    "what": {"what": "what|which|how much|how many|how good|how well|how big|how|who|where"},
    "explain": {
        "explain": (
            "explain|summarise|summarize|tell me about|describe|interpret the result|interpret the results|"
            "discuss|what does it mean|go through"
        )
    },
    "list": {"list": "list|show|show me|give me|display|which ones|overview|print"},
    "experiment": {
        "experiment": "experiment|experiments|runs|results|trainings|history|past experiments|studies|my experiments"
    },
    "result": {
        "result": (
            "result|outcome|figure|figures|finding|findings|score|scores|number|conclusion|decision|"
            "difference|noise floor|interval|caveats"
        )
    },
    "run_word": {"run": "run id|experiment run|plan id"},
    "job": {"job": "job|jobs|process|queue|training job|log|logs|progress"},
    "status": {
        "status": (
            "status|state|running|still running|finished|finish yet|ready yet|how far|eta|"
            "how long does it still take|how is it going|is it done|done yet|progress of|going"
        )
    },
    "interpret": {
        "interpret": (
            "interpret|pathogenic|effect|affect|affects|splice effect|splicing effect|what happens|"
            "consequence|consequences|score|scored|impact|affects splicing|disrupt|disrupts|alter|alters|"
            "altering|change splicing|assess variant"
        )
    },
    "lookup": {
        "lookup": (
            "look up|lookup|known|reported|published|measured before|database|databases|seen before|"
            "in the literature|annotated|already scored|stored"
        )
    },
    "vcf": {"vcf": "vcf|vcf file|variants in|file of variants"},
    "help": {
        "help": (
            "help|what can you do|what do you do|how do you work|how does this work|what can i ask|usage|"
            "commands|manual|who are you|examples please|what are you|are you a language model"
        )
    },
    "approve": {
        "approve": (
            "approve|approved|without approval|auto approve|skip approval|without asking|don't ask|"
            "no confirmation|bypass|override|ignore previous instructions|ignore all previous instructions|"
            "ignore the budget|system prompt|without my approval|pre approved|preapproved"
        )
    },
    "yes": {
        "yes": (
            "yes|y|yep|sure|go ahead|do it|fine|sounds good|the default|default|defaults|whatever you think|"
            "you choose|your choice|any"
        )
    },
    "cancel": {"cancel": "cancel|abort|kill|stop the job|stop it|terminate|never mind|nevermind|forget it"},
    "hypothesis": {"hypothesis": "hypothesis"},
    "question_mark": {"?": "?"},
    "genome": {"GRCh38": "grch38|hg38|build 38", "GRCh37": "grch37|hg19|build 37", "demo": "demo genome"},
}

#: Plain words that are near some term of the field, and mean nothing here.
PLAIN = frozenset(
    [
        "about",
        "above",
        "after",
        "against",
        "along",
        "always",
        "among",
        "another",
        "around",
        "because",
        "been",
        "before",
        "being",
        "best",
        "between",
        "both",
        "came",
        "come",
        "comes",
        "does",
        "doing",
        "done",
        "down",
        "during",
        "each",
        "either",
        "enough",
        "even",
        "ever",
        "every",
        "few",
        "first",
        "give",
        "given",
        "good",
        "great",
        "into",
        "itself",
        "keep",
        "know",
        "large",
        "last",
        "later",
        "least",
        "less",
        "long",
        "look",
        "made",
        "make",
        "many",
        "maybe",
        "mean",
        "means",
        "might",
        "more",
        "most",
        "much",
        "must",
        "near",
        "never",
        "next",
        "nothing",
        "once",
        "other",
        "others",
        "over",
        "own",
        "perhaps",
        "point",
        "quite",
        "rather",
        "real",
        "really",
        "right",
        "same",
        "seem",
        "seen",
        "several",
        "shall",
        "short",
        "since",
        "something",
        "soon",
        "still",
        "such",
        "sure",
        "take",
        "than",
        "thank",
        "thanks",
        "their",
        "them",
        "then",
        "they",
        "thing",
        "think",
        "time",
        "today",
        "together",
        "tomorrow",
        "under",
        "until",
        "upon",
        "used",
        "very",
        "want",
        "wants",
        "well",
        "went",
        "what",
        "when",
        "where",
        "which",
        "while",
        "whole",
        "will",
        "with",
        "work",
        "works",
        "year",
        "your",
        "cook",
        "bread",
        "weather",
        "paris",
        "human",
        "genes",
        "gene",
        "cell",
        "cells",
        "sample",
        "read",
        "reads",
        "mouse",
        "house",
        "table",
        "stable",
        "trained",
        "training",
        "model",
        "modes",
        "site",
        "lead",
        "learn",
        "clear",
        "change",
        "chance",
    ]
)
