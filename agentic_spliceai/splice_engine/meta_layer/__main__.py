"""`python -m agentic_spliceai.splice_engine.meta_layer COMMAND`."""

from agentic_spliceai.splice_engine.meta_layer.pipelines.cli import main

raise SystemExit(main())
