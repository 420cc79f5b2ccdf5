"""Problems of uploads, and of what is served of them."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

UNKNOWN_UPLOAD = ProblemType(
    "unknown-upload",
    404,
    "Upload not found",
    "Not an id of yours, or of an upload that was not completed within a day. Other callers' uploads are not "
    "shown to exist.",
)
MEDIA_TYPE_NOT_ACCEPTED = ProblemType(
    "media-type-not-accepted",
    415,
    "Media type not accepted",
    "PNG, JPEG, GIF, WebP, AVIF, MP4, WebM and GLB files are accepted. SVG is not, since it can run scripts: "
    "send it as a data URL within `image`, or as a PNG.",
)
UPLOAD_TOO_LARGE = ProblemType(
    "upload-too-large",
    413,
    "File too large",
    "`detail` has this deployment's limit. Send a smaller file, or name one that is hosted "
    "elsewhere by its URL.",
)
UPLOAD_NOT_RECEIVED = ProblemType(
    "upload-not-received",
    409,
    "File not received",
    "Nothing was put at the upload's URL yet. Put the bytes there with the headers of `put`, then "
    "complete it.",
)
UPLOAD_MISMATCH = ProblemType(
    "upload-mismatch",
    422,
    "File is not what was announced",
    "Size, SHA-256 and type of what was put have to be those that the upload was created with; the type is "
    "told by the bytes. Put the right file while the URL is valid, or create another upload.",
)
UPLOAD_NOT_USABLE = ProblemType(
    "upload-not-usable",
    422,
    "Upload cannot be used",
    "Metadata may name an upload of yours that is complete: any as `animation_url`, an image as `image`.",
)
UNKNOWN_MEDIA = ProblemType("unknown-media", 404, "File not found", "No complete upload has this SHA-256.")
RANGE_NOT_SATISFIABLE = ProblemType(
    "range-not-satisfiable",
    416,
    "Range beyond the file",
    "`Content-Range` has the file's size. Ask for bytes within it.",
)
