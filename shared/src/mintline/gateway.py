"""What API Gateway, in front of the API on AWS, passes on about a request."""

from __future__ import annotations

REQUEST_HEADER = "x-mintline-request"
"""The id that API Gateway gave the request, by which its access log and the API's log name the same one."""
