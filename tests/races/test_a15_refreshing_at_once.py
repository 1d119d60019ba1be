"""A15: twenty refreshes of one token cross. One chain comes of it; nobody honest is thrown out.

Over and over for one session: what all were given is what the next round shows.
"""

from functools import partial
from unittest import mock

import pytest
from django.utils import timezone

from accounts.errors import TokenReused
from accounts.models import RefreshToken
from accounts.services import SessionTokens, refresh_session, sessions
from shop.models import OutboxMessage
from tests.make import accounts as make
from tests.races.crew import Crew, troubles
from tests.races.figures import figure, reported
from tests.races.guards import must_show, sql_changed, thrown_away

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(3600),
]

ROUNDS = figure(full=200, small=20)
AT_ONCE = 20


def refreshed_together(crew: Crew, token: str, size: int) -> tuple[str, list[str]]:
    """Have `size` requests show `token` at once; return the next token, and what went wrong."""
    outcomes = crew.race([partial(refresh_session, refresh=token, now=timezone.now())] * size)
    found = troubles(outcomes)
    given = {outcome.refresh for outcome in outcomes if isinstance(outcome, SessionTokens)}
    thrown_out = sum(isinstance(outcome, TokenReused) for outcome in outcomes)
    if thrown_out:
        found.append(f"{thrown_out} honest ones thrown out")
    if len(given) > 1:
        found.append(f"{len(given)} successors of one token")
    return next(iter(given), token), found


def broken_links() -> list[str]:
    """Return what is wrong with the chain of the only session: forks, loose and revoked links."""
    links = list(RefreshToken.objects.order_by("pk"))
    parents = [link.parent_id for link in links if link.parent_id is not None]
    found = []
    if len(parents) != len(set(parents)):
        found.append("a link has two successors")
    if sum(link.used_at is None for link in links) != 1:
        found.append("more or less than one link can be used")
    if any(link.revoked_at for link in links):
        found.append("a link is revoked")
    if len({link.family for link in links}) != 1:
        found.append("there are several families")
    return found


def test_refreshes_that_cross_make_one_chain() -> None:
    token = make.session(make.customer()).refresh

    with (
        Crew(AT_ONCE) as crew,
        reported("A15 refreshes at once", rounds=ROUNDS, refreshes=AT_ONCE) as seen,
    ):
        for _ in range(ROUNDS):
            token, found = refreshed_together(crew, token, AT_ONCE)
            assert found == []
        seen["links"] = RefreshToken.objects.count()

    assert RefreshToken.objects.count() == ROUNDS + 1
    assert broken_links() == []
    assert not OutboxMessage.objects.filter(topic="accounts.session_reused").exists()
    # And the user goes on.
    assert isinstance(refresh_session(refresh=token, now=timezone.now()), SessionTokens)


def test_without_the_grace_honest_ones_are_thrown_out() -> None:
    with (
        thrown_away(),
        mock.patch.object(sessions, "_successor_for_twin", return_value=None),
        Crew(8) as crew,
    ):

        def trial() -> list[str]:
            token = make.session(make.customer()).refresh
            return refreshed_together(crew, token, 8)[1]

        must_show(trial, "honest ones thrown out")


def test_without_the_claim_a_token_is_spent_twice() -> None:
    # The database knows that a link has one successor, so the second one trips over it.
    with (
        thrown_away(),
        sql_changed(sessions, "_CLAIM", ("AND token.used_at IS NULL ", "")),
        Crew(8) as crew,
    ):

        def trial() -> list[str]:
            token = make.session(make.customer()).refresh
            return refreshed_together(crew, token, 8)[1]

        must_show(trial, "IntegrityError")
