"""What a language model is told of this installation: names, and nothing that it could take for a result."""

from __future__ import annotations

from agentic_spliceai.tools.vocabulary import Vocabulary


def known_text(words: Vocabulary) -> str:
    """Return models by task, data sets, base models, measures and places to run, one a line."""
    lines = [f"task {task.name}: {task.title}" for task in words.tasks]
    for model in words.models:
        for task, setting in model.settings.items():
            lines.append(f"model {model.name} for {task}: {model.title}. {setting.description}".rstrip())
    lines += [f"data set {data.name}: {data.title}; tasks {', '.join(data.tasks)}" for data in words.datasets]
    lines += [f"base model {base.name}" for base in words.base_models]
    lines += [f"measure {metric.name}: {metric.title}, for {', '.join(metric.tasks)}" for metric in words.metrics]
    lines += [
        f"backend {backend.name}: {backend.title}{', costs money' if backend.paid else ''}"
        for backend in words.backends
        if backend.ready
    ]
    return "\n".join(lines)
