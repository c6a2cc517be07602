"""`python -m agentic_spliceai.splice_engine.base_layer.training COMMAND`."""

from agentic_spliceai.splice_engine.base_layer.training.cli import main

raise SystemExit(main())
