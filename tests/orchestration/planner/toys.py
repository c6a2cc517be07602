"""A vocabulary that does not change with the registries: every model, data set and backend that the tests name."""

from __future__ import annotations

from agentic_spliceai.tools import vocabulary as real
from agentic_spliceai.tools.vocabulary import BackendWords, DatasetWords, ModelSetting, ModelWords, Named, Vocabulary


def model(name: str, *phrases: str, title: str, slow: bool = False, unfreezes: bool = False) -> ModelWords:
    settings = {task: ModelSetting(name) for task in ("triage", "delta")}
    return ModelWords(name, phrases, title, settings=settings, slow=slow, unfreezes=unfreezes)


WORDS = Vocabulary(
    models=(
        model("variant_aware", "variant aware model", "variant aware", "variantaware", title="variant-aware model"),
        model("gated_cnn", "gated cnn", title="gated CNN"),
        model("cnn", "cnn", title="CNN"),
        model("hyenadna", "hyenadna", "hyena", title="HyenaDNA", slow=True, unfreezes=True),
        model("cross_attention", "cross attention", title="cross-attention fusion"),
    ),
    datasets=(
        DatasetWords("minigene", ("minigene", "simulated"), "simulated minigene"),
        DatasetWords("mfass", ("mfass",), "MFASS", base_model="openspliceai-400nt"),
        DatasetWords("vexseq", ("vex seq",), "Vex-seq", tasks=("triage", "delta"), base_model="openspliceai-400nt"),
        DatasetWords("mutsplicedb", ("mutsplicedb",), "MutSpliceDB", tasks=("triage",)),
        DatasetWords("splicevardb", ("splicevardb",), "SpliceVarDB", tasks=("triage",)),
    ),
    base_models=tuple(
        Named(name, (name, *more), name)
        for name, *more in (
            ("small", "small base model"),
            ("spliceai",),
            ("openspliceai",),
            ("openspliceai-2000nt",),
            ("openspliceai-400nt",),
            ("openspliceai-80nt",),
        )
        if name != "small" or more
    ),
    tasks=real.vocabulary().tasks,
    metrics=real.vocabulary().metrics,
    backends=(
        BackendWords("local", ("local", "locally", "here", "this machine", "my machine"), "this machine"),
        BackendWords("runpod", ("runpod",), "RunPod", paid=True),
    ),
    foreign=real.vocabulary().foreign,
)
