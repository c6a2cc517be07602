"""What a person reads: one self-contained HTML page, Markdown, JSON, plots and a terminal summary.

Modules are imported where they are needed (`reporting.files`, `reporting.html`, `reporting.markdown`,
`reporting.plot`, `reporting.terminal`), because matplotlib, jinja2 and rich are slow to load.
"""
