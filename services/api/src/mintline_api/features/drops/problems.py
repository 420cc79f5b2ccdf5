"""Problems of drops."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

UNKNOWN_DROP = ProblemType(
    "unknown-drop", 404, "Drop not found", "Not an id of yours. Other clients' drops are not shown to exist."
)
LINES_MEDIA_TYPE = ProblemType(
    "lines-media-type",
    415,
    "Not a media type of lines",
    "Send lines as `application/x-ndjson` or `text/csv`, in UTF-8 and without `Content-Encoding`. A drop's "
    "lines are all of one media type: that of its first upload.",
)
UPLOAD_OFFSET = ProblemType(
    "upload-offset",
    409,
    "Upload-Offset does not match",
    "The response's `Upload-Offset` says how many bytes are taken: send what comes after them, with that "
    "`Upload-Offset`. `HEAD` of the same path says it too.",
)
LINES_CLOSED = ProblemType(
    "lines-closed",
    409,
    "Drop takes no more lines",
    "A drop takes lines until it is prepared. Make another drop for the others.",
)
CSV_COLUMNS = ProblemType(
    "csv-columns",
    422,
    "CSV columns missing or unknown",
    "The first row names the columns. `errors` lists those that are unknown or missing; no line was taken.",
)
TOO_MANY_LINES = ProblemType(
    "too-many-lines",
    422,
    "Drop has too many lines",
    "A drop takes 100,000 lines. The lines up to the limit are taken; put the others into another drop.",
)
DROP_EMPTY = ProblemType(
    "drop-empty",
    409,
    "Drop has no lines to mint",
    "No line of the drop was accepted, or none has a recipient that can be found. Upload lines, or correct "
    "those that `GET …/refused` returns.",
)
DROP_NOT_PREPARED = ProblemType(
    "drop-not-prepared",
    409,
    "Drop is not prepared",
    "Users, wallets and token ids are made first: `POST …/prepare`, then wait for the status `prepared`.",
)
DROP_STARTED = ProblemType(
    "drop-started",
    409,
    "Drop was started before",
    "A drop is started once. One that is paused goes on with `POST …/resume`.",
)
DROP_BY_OLDER_RELEASE = ProblemType(
    "drop-by-older-release",
    409,
    "Drop written by an older release",
    "During an upgrade or a rollback an API process of a release that knows no ERC-1155 items wrote the "
    "drop's record, and what was known of its items is lost. Nothing more of it is minted. Cancel the drop, "
    "and make another one with the lines that were not handed on.",
)
DROP_NOT_RUNNING = ProblemType(
    "drop-not-running", 409, "Drop is not running", "Only a drop whose status is `running` can be paused."
)
DROP_NOT_PAUSED = ProblemType(
    "drop-not-paused", 409, "Drop is not paused", "Only a drop whose status is `paused` can be resumed."
)
DROP_ENDED = ProblemType(
    "drop-ended", 409, "Drop has ended", "The drop is completed or cancelled, and nothing of it changes now."
)
TOO_MANY_DROPS = ProblemType(
    "too-many-drops",
    409,
    "Too many drops at once",
    "In a collection with a supply cap at most 100 drops may hold reserved tokens at a time. Wait until one "
    "has ended, or cancel one; then start or resume this one.",
)
