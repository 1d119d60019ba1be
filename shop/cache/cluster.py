"""Django's cache on a Redis Cluster, which django-redis does not know."""

from collections import OrderedDict
from collections.abc import Iterable
from functools import cache
from typing import Any

from django_redis.client import DefaultClient
from django_redis.exceptions import ConnectionInterrupted
from django_redis.pool import ConnectionFactory
from redis.cluster import RedisCluster
from redis.exceptions import RedisError

from shop.redis import cluster_of


@cache
def _cluster(url: str, timeout_seconds: float) -> RedisCluster:
    cluster: RedisCluster = cluster_of(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        max_connections=64,
    )
    return cluster


class ClusterConnectionFactory(ConnectionFactory):
    """Gives one client a process for each Cluster: it knows the nodes and has a pool for each."""

    def connect(self, url: str) -> Any:
        return _cluster(url, self.options["SOCKET_TIMEOUT"])

    def disconnect(self, connection: Any) -> None:
        connection.disconnect_connection_pools()


class ClusterClient(DefaultClient):
    """django-redis' client, whose reads of many keys may go to several nodes."""

    def get_many(
        self, keys: Iterable[str], version: int | None = None, client: Any = None
    ) -> OrderedDict[str, Any]:
        name_of = {self.make_key(key, version=version): key for key in keys}
        if not name_of:
            return OrderedDict()
        try:
            cluster: Any = client or self.get_client(write=False)
            values = cluster.mget_nonatomic(*name_of)
        except RedisError as error:
            raise ConnectionInterrupted(connection=client) from error
        return OrderedDict(
            (key, self.decode(value))
            for key, value in zip(name_of.values(), values, strict=True)
            if value is not None
        )

    def keys(self, search: str, version: int | None = None, client: Any = None) -> list[str]:
        # `KEYS` would ask one node; to look through them bit by bit asks all, and holds none up.
        return list(self.iter_keys(search, version=version, client=client))
