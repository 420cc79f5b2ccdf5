"""Who the callers are: the Cognito user pool, its app client, and the group of those who run the platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_iam as iam
from constructs import Construct

from mintline.scopes import DESCRIPTIONS, MACHINE_SCOPES, OPERATORS, RESOURCE_SERVER, USER_SCOPES
from mintline_infra.deployment import Deployment
from mintline_infra.deployment_fields import FeaturePlan
from mintline_infra.nag import acknowledge
from mintline_infra.removal import RETAIN

APP_CLIENTS = (
    "CreateUserPoolClient",
    "DeleteUserPoolClient",
    "AddUserPoolClientSecret",
    "DeleteUserPoolClientSecret",
    "ListUserPoolClientSecrets",
)
"""What the api does with app clients of machines: it changes none, so that users' own stays as it is."""
API_USERS = ("AdminCreateUser", "AdminGetUser", "ListUsers")
"""What the api does with users: it changes none."""


PLANS: Mapping[FeaturePlan, cognito.FeaturePlan] = {
    "lite": cognito.FeaturePlan.LITE,
    "essentials": cognito.FeaturePlan.ESSENTIALS,
}


class IdentityStack(cdk.Stack):
    """The user pool whose access tokens the api takes."""

    def __init__(self, scope: Construct, name: str, deployment: Deployment, env: cdk.Environment) -> None:
        super().__init__(
            scope,
            name,
            env=env,
            description="Mintline: users.",
            termination_protection=deployment.holds_something,
        )
        self.pool = self._pool(deployment)
        scopes = {
            scope: cognito.ResourceServerScope(scope_name=scope.short, scope_description=text)
            for scope, text in DESCRIPTIONS.items()
        }
        server = self.pool.add_resource_server(
            RESOURCE_SERVER,
            identifier=RESOURCE_SERVER,
            user_pool_resource_server_name=RESOURCE_SERVER,
            scopes=list(scopes.values()),
        )
        granted = {
            scope: cognito.OAuthScope.resource_server(server, oauth_scope)
            for scope, oauth_scope in scopes.items()
        }
        # Without `public_url` nobody knows the API's address yet: it is named in `sign_in_callbacks` later.
        consoles = [f"{deployment.public_url.rstrip('/')}/console/home"] if deployment.public_url else []
        consoles += [url for url in deployment.sign_in_callbacks if url.endswith("/console/home")]
        self.client = self._sign_in_client(
            "api",
            deployment,
            scopes=[granted[scope] for scope in USER_SCOPES],
            callbacks=list(dict.fromkeys((*deployment.sign_in_callbacks, *consoles))),
            logouts=consoles or None,
            refresh=cdk.Duration.days(30),
        )
        self.operators_client = None
        if deployment.operators_console:
            self.operators_client = self._sign_in_client(
                "operators",
                deployment,
                scopes=[granted[scope] for scope in MACHINE_SCOPES],
                callbacks=consoles,
                logouts=consoles,
                refresh=cdk.Duration.hours(12),
            )
            cdk.CfnOutput(self, "operators-client", value=self.operators_client.user_pool_client_id)
        self._let_api_use_pool(deployment)
        domain = self.pool.add_domain(
            "sign-in", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=deployment.prefix)
        )
        self.sign_in_url = domain.base_url()
        cognito.UserPoolGroup(
            self,
            OPERATORS,
            user_pool=self.pool,
            group_name=OPERATORS,
            precedence=0,
            description="Those who run the platform, and may act as a machine client in its console.",
        )
        self.issuer = f"https://cognito-idp.{deployment.region}.{deployment.domain}/{self.pool.user_pool_id}"
        cdk.CfnOutput(self, "user-pool", value=self.pool.user_pool_id)
        cdk.CfnOutput(self, "client", value=self.client.user_pool_client_id)
        cdk.CfnOutput(self, "sign-in-url", value=self.sign_in_url)

    def _pool(self, deployment: Deployment) -> cognito.UserPool:
        pool = cognito.UserPool(
            self,
            "users",
            user_pool_name=deployment.prefix,
            self_sign_up_enabled=deployment.self_sign_up,
            email=_sender(deployment),
            feature_plan=PLANS[deployment.feature_plan],
            sign_in_aliases=cognito.SignInAliases(username=True, email=True),
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_digits=True,
                require_lowercase=True,
                require_uppercase=True,
                require_symbols=True,
            ),
            deletion_protection=deployment.holds_something,
            removal_policy=RETAIN,
        )
        acknowledge(
            pool,
            COG2="Users of a shop's NFTs may choose a second factor; one that is forced belongs to the shop.",
            COG3="Threat protection needs the Plus plan, 2 cents per active user: the operator's choice.",
            COG8="Threat protection needs the Plus plan, 2 cents per active user: the operator's choice.",
        )
        return pool

    def _sign_in_client(
        self,
        name: str,
        deployment: Deployment,
        *,
        scopes: Sequence[cognito.OAuthScope],
        callbacks: list[str],
        logouts: list[str] | None,
        refresh: cdk.Duration,
    ) -> cognito.UserPoolClient:
        """Make an app client by which people sign in on the login page."""
        client = self.pool.add_client(
            name,
            user_pool_client_name=f"{deployment.prefix}-{name}",
            generate_secret=False,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, *scopes],
                callback_urls=callbacks,
                logout_urls=logouts,
            ),
            supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            access_token_validity=cdk.Duration.hours(1),
            id_token_validity=cdk.Duration.hours(1),
            refresh_token_validity=refresh,
        )
        _no_direct_sign_in(client)
        return client

    def _let_api_use_pool(self, deployment: Deployment) -> None:
        """Let the api make and delete app clients of this pool, and find and make its users.

        The pool is younger than the api's role, so this is a policy of its own.
        """
        iam.Policy(
            self,
            "api-pool",
            roles=[iam.Role.from_role_arn(self, "api-role", deployment.role_arn("api"))],
            statements=[
                iam.PolicyStatement(
                    sid=sid,
                    actions=[f"cognito-idp:{action}" for action in actions],
                    resources=[self.pool.user_pool_arn],
                )
                for sid, actions in (("AppClients", APP_CLIENTS), ("Users", API_USERS))
            ],
        )


def _no_direct_sign_in(client: cognito.UserPoolClient) -> None:
    """Leave users the login page alone: Cognito adds flows of its own to a client that lists none."""
    resource = client.node.default_child
    assert isinstance(resource, cognito.CfnUserPoolClient)
    resource.explicit_auth_flows = ["ALLOW_REFRESH_TOKEN_AUTH"]


def _sender(deployment: Deployment) -> cognito.UserPoolEmail | None:
    if deployment.email_from is None:
        return None
    _, domain = deployment.email_from.split("@")
    return cognito.UserPoolEmail.with_ses(
        from_email=deployment.email_from, ses_region=deployment.region, ses_verified_domain=domain
    )
