"""The model card: what was trained on what, how well it does, and what it is not for. Every number comes from a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agentic_spliceai.splice_engine.base_layer.training.loop import TrainSettings

NAMES = {"ours": "this model", "openspliceai": "OpenSpliceAI MANE, 400 nt"}

INTENDED_USE = """## Intended use and limits

For demonstrations, for tests, for first looks and for work without a network connection. For research use. It is no
medical device, and no clinical decision may rest on it. Where scores matter, use a 10,000-nt model: with 400 nt of
context this one cannot see the exon's other end, branch points and enhancers beyond 200 nt, or anything else that far
away; expect more missed and more false sites than from the large models. It was trained on human genes only, many of
them disease genes, and on annotated sites: deep-intronic and cryptic sites count as negatives. Its scores have not been
calibrated against measured effects of variants; the delta thresholds that go with it are borrowed.
"""

NOTES = """Top-k accuracy: share of true sites among the k highest scores, k the number of true sites. Sequence beyond a
locus is N in this comparison. OpenSpliceAI held out the same chromosomes; it was trained on one MANE transcript of each
protein-coding gene of the others, several times as many genes as here, so that sites of other transcripts and of
non-coding genes count against it in the first two tables.
"""

RERUN_NOTE = """\
`small-400nt.json` beside this file holds the settings, the validation history and every figure. Seeds fix initial
weights and windows; sums of floating-point numbers differ from machine to machine, and a time limit decides when the
decay begins (`decay_from`), so a repeat agrees within noise, not bit by bit.
"""

# Settings of a member that its `train` command has to name, where they are not the default.
_OPTIONS = ("learning_rate", "weight_decay", "width", "batch", "warmup", "empty_fraction", "mask_fraction", "steps")


def build_card(metadata: Mapping[str, Any], evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Join the weights' header and the evaluation into one document."""
    return {
        "name": "small-400nt",
        "format": 1,
        "architecture": {
            key: metadata[key] for key in ("context", "negative_slope", "batch_norm_eps", "members", "seeds")
        },
        "corpus": metadata["corpus"],
        "training": metadata["training"],
        "evaluation": evaluation,
    }


def render_card(card: Mapping[str, Any]) -> str:
    """Return the card as Markdown."""
    parts = [
        _head(card),
        INTENDED_USE,
        _data(card),
        _training(card),
        *(_table(card, panel) for panel in card["evaluation"]["test"]["panels"]),
        NOTES,
        _calibration(card),
        _rerun(card),
        RERUN_NOTE,
    ]
    return "\n".join(parts)


def _rerun(card: Mapping[str, Any]) -> str:
    """Return the commands that make the weights and this card again, each member with its own settings."""
    program = "python -m agentic_spliceai.splice_engine.base_layer.training"
    defaults = asdict(TrainSettings())
    lines = ["## Again", "", "```", f"{program} prepare --out DIR --genome FASTA --annotation GTF"]
    for member in card["training"]:
        settings = member["settings"]
        options = [
            f" --{name.replace('_', '-')} {settings[name]:g}"
            for name in _OPTIONS
            if name in settings and settings[name] != defaults[name]
        ]
        lines.append(f"{program} train --out DIR --seed {settings['seed']}{''.join(options)}")
    lines += [f"{program} export --out DIR", f"{program} evaluate --out DIR --openspliceai FOLDER", "```", ""]
    return "\n".join(lines)


def _head(card: Mapping[str, Any]) -> str:
    a, e = card["architecture"], card["evaluation"]
    members = "one network" if a["members"] == 1 else f"an ensemble of {a['members']} networks, probabilities averaged"
    return f"""# small-400nt

Splice-site probabilities (donor, acceptor, neither) for every base of a human gene, from {a["context"]} nt of context.
It is the model that works without any download.

- Architecture: the residual network of SpliceAI (Jaganathan et al., Cell 2019) with {a["context"]} nt of context, \
LeakyReLU {a["negative_slope"]}; {members}; seeds {", ".join(map(str, a["seeds"]))}.
- File: `small-400nt.safetensors`, {e["weights_bytes"]:,} bytes, SHA-256 `{e["weights_sha256"]}`; \
kernels float16, all else float32, computed in float32.
- Input: one-hot A, C, G, T in the sense of transcription, N as an all-zero column.
"""


def _data(card: Mapping[str, Any]) -> str:
    c = card["corpus"]
    split = c["split"]
    left_out = ", ".join(f"{contig}:{start + 1:,}-{end:,}" for contig, start, end in split["left_out"])
    lines = [
        "## Data\n",
        f"- Genome: {c['build']}, {c['genome']}; SHA-256 `{c['genome_sha256']}`. The human reference sequence "
        "is in the public domain.",
        f"- Annotation: {c['annotation']}; SHA-256 `{c['annotation_sha256']}`. RefSeq coordinates (NCBI; a "
        "work of the US government, public domain).",
        "- Labels: the splice sites of all transcripts on the gene's strand; donor on the last exonic base, acceptor "
        "on the first. Positions without sequence, or donor in one transcript and acceptor in another, are ignored.",
        f"- Split by chromosome: test {', '.join(split['test'])}; validation {', '.join(split['validation'])}; the "
        f"rest trains. Left out: {left_out} (false duplication).",
        f"- Copies across the split: a training or validation gene with a splice site whose {c['paralog_window']} nt "
        f"are found at a test gene's site is set aside: {len(c['paralogs'])} found. More distant paralogs were not "
        "looked for.",
        f"- Arrays: SHA-256 `{c['corpus_sha256']}`.\n",
        "| part | genes | loci (overlapping genes united) | positions | donors | acceptors |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for part, n in c["counts"].items():
        lines.append(
            f"| {part} | {n['genes']:,} | {n['loci']:,} | {n['positions']:,} | {n['donors']:,} | {n['acceptors']:,} |"
        )
    return "\n".join(lines) + "\n"


def _training(card: Mapping[str, Any]) -> str:
    lines = [
        "## Training\n",
        "AdamW, constant learning rate after warm-up and linear decay to zero, running mean of the weights, batch-norm "
        "statistics measured anew on training windows at the end, checkpoint chosen on validation (mean PR-AUC). "
        "Windows with a splice site are all used; of the others a fraction, weighted by its reciprocal. Part of the "
        "windows see N beyond the gene, as variant scoring has it, the others the real sequence.\n",
        "| seed | steps | epochs | minutes | hardware | learning rate | weight decay | windows | empty kept "
        "| N beyond gene |",
        "|---:|---:|---:|---:|---|---:|---:|---|---:|---:|",
    ]
    for r in card["training"]:
        s = r["settings"]
        lines.append(
            f"| {s['seed']} | {r['steps']:,} | {r['epochs']} | {r['minutes']} | {r['hardware']} | "
            f"{s['learning_rate']} | {s['weight_decay']} | {s['batch']} x {s['width']:,} nt | "
            f"{s['empty_fraction']} | {s['mask_fraction']} |"
        )
    return "\n".join(lines) + "\n"


def _table(card: Mapping[str, Any], panel: Mapping[str, Any]) -> str:
    lines = [
        f"## Test: {panel['name']}\n",
        f"{panel['meaning'][0].upper()}{panel['meaning'][1:]}; {panel['loci']:,} loci; 95 % intervals by bootstrap "
        f"over loci ({card['evaluation']['test']['bootstrap_draws']:,} draws).\n",
        "| model | class | sites | positions | top-k accuracy | PR-AUC |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in card["evaluation"]["rows"]:
        name = NAMES[row["model"]]
        several = sum(r["model"] == row["model"] for r in card["evaluation"]["rows"]) > 1
        if several:
            name += ", ensemble" if row["member"] is None else f", member {row['member'] + 1}"
        for kind, m in row["panels"][panel["name"]].items():
            lines.append(
                f"| {name} | {kind} | {m['sites']:,} | {m['positions']:,} | {_estimate(m['top_k'])} | "
                f"{_estimate(m['pr_auc'])} |"
            )
        if several and row["member"] is None:
            lines += _mean_of_members(card, row["model"], panel["name"])
    return "\n".join(lines) + "\n"


def _mean_of_members(card: Mapping[str, Any], model: str, panel: str) -> list[str]:
    members = [
        r["panels"][panel] for r in card["evaluation"]["rows"] if r["model"] == model and r["member"] is not None
    ]
    lines = []
    for kind, first in members[0].items():
        means = [sum(m[kind][key]["value"] for m in members) / len(members) for key in ("top_k", "pr_auc")]
        lines.append(
            f"| {NAMES[model]}, mean of single members | {kind} | {first['sites']:,} | {first['positions']:,} | "
            f"{means[0]:.4f} | {means[1]:.4f} |"
        )
    return lines


def _calibration(card: Mapping[str, Any]) -> str:
    panel = card["evaluation"]["test"]["panels"][0]["name"]
    lines = [
        f"## Calibration, {panel}\n",
        "Sum of probabilities over the number of sites (1 is right), and the mean distance between score and share of "
        "true sites over bins of score from 0.1 up, weighted by positions.\n",
        "| model | class | expected / observed sites | calibration error |",
        "|---|---|---:|---:|",
    ]
    whole = [r for r in card["evaluation"]["rows"] if r["member"] is None]
    for row in whole:
        for kind, m in row["panels"][panel].items():
            lines.append(
                f"| {NAMES[row['model']]} | {kind} | {m['expected_over_observed_sites']:.3f} | "
                f"{m['calibration_error_from_0.1']:.3f} |"
            )
    lines += [
        "",
        "Reliability of this model:\n",
        "| class | score | positions | mean score | true sites |",
        "|---|---|---:|---:|---:|",
    ]
    for kind, m in whole[0]["panels"][panel].items():
        for b in m["reliability"]:
            lines.append(
                f"| {kind} | {b['low']:g}-{b['high']:g} | {b['positions']:,} | {b['mean_score']:.4f} | "
                f"{b['site_fraction']:.4f} |"
            )
    return "\n".join(lines) + "\n"


def _estimate(e: Mapping[str, float]) -> str:
    return f"{e['value']:.4f} ({e['low']:.4f}-{e['high']:.4f})"
