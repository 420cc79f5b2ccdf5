"""The refusal of a query for which a deployment keeps no index."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

QUERY_NOT_KEPT = ProblemType(
    "query-not-kept",
    501,
    "Query not kept by this deployment",
    "The deployment does without the index that answers it. Its operator can add the index at any time "
    "(`query-indexes`); what happened before is in it too.",
)
