"""Start the AWS emulator with Cognito's checks of tokens and sign-in flows switched on.

By itself ministack checks them only together with IAM and every signature (`AUTH=true`). Without them,
`/oauth2/userInfo` would still know a user who is signed out or disabled, and a client could sign users in by
flows that it does not list. Runs in the emulator's own environment, whose version is pinned by hash.
"""

from __future__ import annotations

from typing import Any

from ministack.app import main
from ministack.services import cognito

answer_userinfo = cognito.handle_oauth2_userinfo
run_idp_handler = cognito._run_idp_handler  # noqa: SLF001


def checked_userinfo(method: str, path: str, headers: dict[str, str], body: bytes, query_params: Any) -> Any:
    """Answer 401 for the token of a user who was signed out, disabled or deleted."""
    token = headers.get("authorization", "").partition(" ")[2].strip()
    if error := cognito._userinfo_token_error(token):  # noqa: SLF001
        return cognito._oauth2_error("invalid_token", error, 401)  # noqa: SLF001
    return answer_userinfo(method, path, headers, body, query_params)


def checked_idp_handler(handler: Any, action: str, data: Any) -> Any:
    """Refuse sign-in flows that the client does not list, and access tokens that do not count."""

    def checked(data: Any) -> Any:
        refused = cognito._auth_flow_error(action, data) or cognito._access_token_error(data)  # noqa: SLF001
        return refused or handler(data)

    return run_idp_handler(checked, action, data)


cognito.handle_oauth2_userinfo = checked_userinfo
cognito._run_idp_handler = checked_idp_handler  # noqa: SLF001

if __name__ == "__main__":
    main()
