"""Experiments, plans, jobs, evidence, predictions, conversations; runs that are taken up again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "approval",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("subject_sha256", sa.String(), nullable=False),
        sa.Column("workflow_run_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_approval"),
        sa.UniqueConstraint("subject_sha256", "workflow_run_id", "attempt", name="uq_approval_subject_sha256"),
    )
    op.create_index("ix_approval_decision", "approval", ["decision"])
    op.create_index("ix_approval_subject", "approval", ["subject"])
    op.create_index("ix_approval_workflow_run_id", "approval", ["workflow_run_id"])

    op.create_table(
        "chat_session",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.Column("model_calls", sa.Integer(), nullable=False),
        sa.Column("tool_calls", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.Column("evidence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chat_session"),
    )
    op.create_index("ix_chat_session_updated_at", "chat_session", ["updated_at"])

    op.create_table(
        "claim",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("rendered", sa.Text(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("evidence_ids", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_claim"),
        sa.UniqueConstraint("run_id", "sha256", name="uq_claim_run_id"),
    )
    op.create_table(
        "dataset",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("source_sha256", sa.String(), nullable=True),
        sa.Column("licence", sa.String(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dataset"),
        sa.UniqueConstraint("name", "digest", name="uq_dataset_name"),
    )
    op.create_index("ix_dataset_digest", "dataset", ["digest"])

    op.create_table(
        "evidence",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_sha256", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
    )
    op.create_index("ix_evidence_kind", "evidence", ["kind"])
    op.create_index("ix_evidence_source", "evidence", ["source"])

    op.create_table(
        "experiment",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_experiment"),
        sa.UniqueConstraint("name", name="uq_experiment_name"),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("handle", sa.JSON(), nullable=True),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.UniqueConstraint("key", name="uq_job_key"),
    )
    op.create_index("ix_job_created_at", "job", ["created_at"])
    op.create_index("ix_job_run_id", "job", ["run_id"])
    op.create_index("ix_job_state", "job", ["state"])

    op.create_table(
        "plan",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("planner", sa.String(), nullable=False),
        sa.Column("hypothesis", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_plan"),
        sa.UniqueConstraint("digest", name="uq_plan_digest"),
    )
    op.create_index("ix_plan_created_at", "plan", ["created_at"])

    op.create_table(
        "prediction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("build", sa.String(), nullable=False),
        sa.Column("gene", sa.String(), nullable=False),
        sa.Column("transcript", sa.String(), nullable=False),
        sa.Column("predictor", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prediction"),
        sa.UniqueConstraint(
            "run_id", "variant", "build", "gene", "transcript", "predictor", "kind", name="uq_prediction_run_id"
        ),
    )
    op.create_index("ix_prediction_gene", "prediction", ["gene"])
    op.create_index("ix_prediction_variant", "prediction", ["variant"])

    op.create_table(
        "chat_message",
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["chat_session.id"], name="fk_chat_message_session_id_chat_session"),
        sa.PrimaryKeyConstraint("session_id", "sequence", name="pk_chat_message"),
    )
    op.create_table(
        "claim_evidence",
        sa.Column("claim_id", sa.Integer(), nullable=False),
        sa.Column("evidence_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_claim_evidence_claim_id_claim"),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name="fk_claim_evidence_evidence_id_evidence"),
        sa.PrimaryKeyConstraint("claim_id", "evidence_id", name="pk_claim_evidence"),
    )
    op.create_table(
        "evidence_term",
        sa.Column("evidence_id", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name="fk_evidence_term_evidence_id_evidence"),
        sa.PrimaryKeyConstraint("evidence_id", "term", name="pk_evidence_term"),
    )
    op.create_index("ix_evidence_term_term", "evidence_term", ["term"])

    op.create_table(
        "evidence_use",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("evidence_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name="fk_evidence_use_evidence_id_evidence"),
        sa.PrimaryKeyConstraint("id", name="pk_evidence_use"),
        sa.UniqueConstraint("run_id", "evidence_id", name="uq_evidence_use_run_id"),
    )
    op.create_index("ix_evidence_use_evidence_id", "evidence_use", ["evidence_id"])

    op.create_table(
        "experiment_run",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("experiment_id", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("base_model", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("spec_digest", sa.String(), nullable=False),
        sa.Column("parent_id", sa.String(), nullable=True),
        sa.Column("hypothesis", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.String(), nullable=True),
        sa.Column("approval_id", sa.String(), nullable=True),
        sa.Column("workflow_run_id", sa.String(), nullable=True),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("environment", sa.JSON(), nullable=False),
        sa.Column("git_commit", sa.String(), nullable=True),
        sa.Column("git_dirty_sha256", sa.String(), nullable=True),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.Column("device", sa.String(), nullable=True),
        sa.Column("evaluator_digest", sa.String(), nullable=True),
        sa.Column("code_digest", sa.String(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("outcome_sha256", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["approval_id"], ["approval.id"], name="fk_experiment_run_approval_id_approval"),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiment.id"], name="fk_experiment_run_experiment_id_experiment"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_experiment_run_job_id_job"),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["experiment_run.id"], name="fk_experiment_run_parent_id_experiment_run"
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_experiment_run_plan_id_plan"),
        sa.PrimaryKeyConstraint("id", name="pk_experiment_run"),
    )
    op.create_index("ix_experiment_run_approval_id", "experiment_run", ["approval_id"])
    op.create_index("ix_experiment_run_dataset", "experiment_run", ["dataset"])
    op.create_index("ix_experiment_run_evaluator_digest", "experiment_run", ["evaluator_digest"])
    op.create_index("ix_experiment_run_experiment_id", "experiment_run", ["experiment_id"])
    op.create_index("ix_experiment_run_job_id", "experiment_run", ["job_id"])
    op.create_index("ix_experiment_run_parent_id", "experiment_run", ["parent_id"])
    op.create_index("ix_experiment_run_plan_id", "experiment_run", ["plan_id"])
    op.create_index("ix_experiment_run_spec_digest", "experiment_run", ["spec_digest"])
    op.create_index("ix_experiment_run_started_at", "experiment_run", ["started_at"])
    op.create_index("ix_experiment_run_status", "experiment_run", ["status"])
    op.create_index("ix_experiment_run_task", "experiment_run", ["task"])
    op.create_index("ix_experiment_run_workflow_run_id", "experiment_run", ["workflow_run_id"])

    op.create_table(
        "job_event",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_job_event_job_id_job"),
        sa.PrimaryKeyConstraint("job_id", "sequence", name="pk_job_event"),
    )
    op.create_table(
        "dataset_use",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("positives", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_dataset_use_dataset_id_dataset"),
        sa.ForeignKeyConstraint(["run_id"], ["experiment_run.id"], name="fk_dataset_use_run_id_experiment_run"),
        sa.PrimaryKeyConstraint("run_id", "position", name="pk_dataset_use"),
    )
    op.create_index("ix_dataset_use_dataset_id", "dataset_use", ["dataset_id"])

    op.create_table(
        "experiment_artifact",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["experiment_run.id"], name="fk_experiment_artifact_run_id_experiment_run"),
        sa.PrimaryKeyConstraint("run_id", "kind", "sha256", name="pk_experiment_artifact"),
    )
    op.create_index("ix_experiment_artifact_sha256", "experiment_artifact", ["sha256"])

    op.create_table(
        "figure",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("of", sa.String(), nullable=False),
        sa.Column("subset", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("sd", sa.Float(), nullable=True),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("positives", sa.Integer(), nullable=True),
        sa.Column("groups", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["experiment_run.id"], name="fk_figure_run_id_experiment_run"),
        sa.PrimaryKeyConstraint("run_id", "position", name="pk_figure"),
    )
    op.create_index("ix_figure_measure_of", "figure", ["measure", "of"])

    op.create_table(
        "metric",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["experiment_run.id"], name="fk_metric_run_id_experiment_run"),
        sa.PrimaryKeyConstraint("run_id", "name", "split", "seed", "step", name="pk_metric"),
    )
    op.create_table(
        "param",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["experiment_run.id"], name="fk_param_run_id_experiment_run"),
        sa.PrimaryKeyConstraint("run_id", "name", name="pk_param"),
    )
    with op.batch_alter_table("run") as batch_op:
        batch_op.add_column(sa.Column("attempts", sa.Integer(), server_default="1", nullable=False))
