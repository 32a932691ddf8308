"""What the architecture tests permit, and why. Each line is a permission that a reviewer has to see.

An edge between groups also means that the functions of the one take on the tables and keys of the other.
"""

from __future__ import annotations

EDGES: frozenset[tuple[str, str]] = frozenset(
    {
        ("control.notifications", "control.provisioning"),  # where an account's notifications go, what signs them
        ("risk.decisions", "risk.integrations"),  # backend rules ask, resolutions are told
        ("risk.interceptors", "risk.decisions"),  # a request on its way is decided on
        ("risk.settlements", "risk.decisions"),  # a provisional decision is settled
        ("risk.settlements", "risk.integrations"),  # by backends that were put off
        ("risk.webhooks", "control.notifications"),  # a webhook is a recipient of notifications
        ("risk.simulations", "risk.blacklist"),  # what the past did not look up is looked up now
        ("risk.simulations", "risk.decisions"),  # the form in which the past was stored
        ("risk.simulations", "risk.rulesets"),  # the ruleset to try, and those that decided then
        ("risk.events", "risk.blacklist"),  # reported fraud condemns values of the decision
        ("risk.events", "risk.decisions"),  # an event joins its decision
        ("risk.events", "risk.integrations"),  # backends that took part are told of events
        ("risk.events", "risk.rulesets"),  # blacklist rules say what is condemned
        ("control.provisioning", "payments.access"),  # a new account has a payments account, a space and a user
        ("payments.access", "payments.configurations"),  # a new space of a sandbox can be paid in at once
        ("payments.transactions", "payments.configurations"),  # which way a payment goes
        ("control.sandbox", "control.provisioning"),  # POST /sandbox/provisioning answers as a direct invocation does
        ("payments.webhooks", "control.notifications"),  # a listener is a recipient of notifications
        ("payments.gateway", "payments.links"),
        ("payments.gateway", "payments.terminals"),  # a transaction's terminal receipts
        ("payments.terminals", "payments.transactions"),  # what is performed
        ("payments.payment_page", "payments.links"),  # the page that a link leads to
        ("payments.links", "payments.transactions"),  # a link opens them
        ("payments.gateway", "payments.payment_page"),  # where a transaction's page is
        ("payments.gateway", "payments.configurations"),  # one door for everything under /payment
        ("payments.gateway", "payments.transactions"),
        ("payments.gateway", "payments.refunds"),
        ("payments.gateway", "payments.payment_tokens"),
        ("payments.refunds", "payments.transactions"),  # what was completed is paid back
        ("payments.payment_tokens", "payments.transactions"),  # a payment gives a token a version
        ("payments.subscriptions", "payments.transactions"),  # a charge is a transaction
        ("payments.gateway", "payments.reference_data"),  # methods, connectors and processors are there
        ("payments.access", "payments.back_office"),  # by the same door; a new space has templates of documents
        ("payments.access", "payments.debt_collection"),
        ("payments.access", "payments.web_apps"),  # what is installed gets a key
        ("payments.gateway", "payments.back_office"),
        ("payments.payment_page", "payments.back_office"),  # what a buyer pays on
        ("payments.gateway", "payments.banking"),
        ("payments.gateway", "payments.debt_collection"),
        ("payments.gateway", "payments.documents"),
        ("payments.gateway", "payments.dunning"),
        ("payments.gateway", "payments.web_apps"),
        ("payments.dunning", "payments.debt_collection"),  # what reminding came to nothing with
        ("payments.web_apps", "payments.refunds"),  # a web app says what became of them
        ("payments.web_apps", "payments.transactions"),
        ("payments.access", "payments.reference_data"),  # served by the door that takes what no other function has
        ("payments.gateway", "payments.charge_flows"),
        ("payments.charge_flows", "payments.transactions"),  # levels charge, and end, transactions
        ("payments.authentication_pages", "payments.transactions"),  # a payment whose buyer is authenticated goes on
        ("threeds.payers", "threeds.authentications"),  # payers of other families' checkouts
        ("threeds.payers", "vault.tokens"),
        ("threeds.authentications", "vault.merchants"),  # on whose behalf, with which registrations
        ("threeds.authentications", "vault.network_tokens"),  # token data goes with a result
        ("threeds.authentications", "vault.tokens"),  # an AReq carries the card behind a token
        ("vault.card_entry", "vault.sessions"),  # a buyer enters the card in a session
        ("vault.card_entry", "vault.tokens"),  # which ends in a token
        ("payments.payment_page", "payments.transactions"),  # what is shown and paid there
        ("vault.acquiring", "vault.acquirer_simulator"),  # the acquirer of a sandbox
        ("vault.acquiring", "vault.acquirer_stripe"),  # the acquirer of merchants who have a contract there
        ("vault.acquiring", "vault.tokens"),  # what is charged is the card behind a token
        ("vault.forward", "vault.tokens"),  # the proxy fills in the card behind a token
        ("vault.imports", "vault.tokens"),  # rows of another vault become tokens
        ("vault.token_reports", "vault.tokens"),  # the report goes through all tokens
        ("vault.keys", "vault.merchants"),  # encryption keys of merchants follow to a new data key
        ("vault.keys", "vault.tokens"),  # so do cards and network tokens
        ("vault.network_tokens", "vault.merchants"),  # payment data is sealed with a merchant's key
        ("vault.network_tokens", "vault.tokens"),  # a network token stands for a token's card
        ("vault.sessions", "vault.tokens"),  # a session makes a token; one schedule ends both
    }
)
"""(group, group whose `public` it may call). Nothing outside the card zone may be given an edge into it."""

FAMILY_PACKAGES: frozenset[str] = frozenset({"payments.engine", "payments.resources"})
"""What a family has in common as a package, as `vault.cards` is a module in common: open to that family alone."""

CARD_ZONE: frozenset[str] = frozenset({"vault", "threeds"})
"""Families whose code may meet a card number. Nobody else imports them; others call a function or HTTP."""

CARD_KEYS: frozenset[str] = frozenset({"VaultKey", "SecurityCodeKey"})
"""The template's keys that open cardholder data: for functions of the card zone only."""

EXEMPTIONS: dict[tuple[str, str], str] = {}
"""(rule, module) → the reason why the rule does not hold there. One that is no longer needed fails the tests."""

UNPROVEN_GRANTS: dict[tuple[str, str, str], str] = {}
"""(function, action, resource) → the reason why no test in one process can need this grant."""
