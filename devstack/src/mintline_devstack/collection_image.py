"""The image of the local stack's collection: its metadata holds it, so that no host has to serve it."""

from __future__ import annotations

from base64 import b64encode

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 350 350">'
    '<rect width="350" height="350" fill="#e0f2ea"/>'
    '<rect x="105" y="105" width="140" height="140" rx="34" fill="#0a6b4f" transform="rotate(45 175 175)"/>'
    "</svg>"
)
COLLECTION_IMAGE = f"data:image/svg+xml;base64,{b64encode(_SVG.encode()).decode()}"
