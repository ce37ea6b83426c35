"""Where a node listens, and what that demands: anywhere but on loopback only with TLS and tokens."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from errno import EACCES, EADDRINUSE
from pathlib import Path

from proml.errors import Busy, UsageProblem

DEFAULT_PORT = 8600
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen.

    Attributes:
        address: an IP address of this machine, or `localhost`.
        port: 0 for any that is free.
        names: host names under which people reach the node, besides those of loopback.
        certificate: PEM file with the certificate chain; None without TLS.
        private_key: PEM file with its key; None where the certificate's file holds it.
    """

    address: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    private_key: Path | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(_ip(self.address)).is_loopback

    @property
    def is_private(self) -> bool:
        """Whether nobody from elsewhere can be behind a request: loopback, and no proxy with a name."""
        return self.is_loopback and not self.names

    @property
    def scheme(self) -> str:
        """`https` with a certificate, else `http`."""
        return "https" if self.certificate else "http"

    @property
    def hosts(self) -> frozenset[str]:
        """What a request may name as its host, without the port."""
        found = {name.lower() for name in self.names}
        if self.is_loopback:
            found |= set(LOOPBACK_NAMES)
        elif not ipaddress.ip_address(_ip(self.address)).is_unspecified:
            found.add(_in_url(_ip(self.address)))
        return frozenset(found)

    def url(self, port: int) -> str:
        """The address to give to people, for the port that was got."""
        host = self.names[0] if self.names else _in_url(_ip(self.address))
        return f"{self.scheme}://{host}:{port}"

    def check(self, tokens: int) -> None:
        """Refuse to listen where others can reach the node without TLS and tokens.

        Args:
            tokens: how many tokens are valid now.

        Raises:
            UsageProblem: saying what is missing.
        """
        if self.certificate:
            _check_certificate(self.certificate, self.private_key)
        if self.is_loopback:
            return
        if not self.certificate:
            raise UsageProblem(
                f"the node does not listen on {self.address} without TLS",
                "give --certificate and --private-key, or listen on 127.0.0.1 behind a proxy that has them",
            )
        if not self.hosts:
            raise UsageProblem(
                f"listening on {self.address} needs the name people reach it by",
                "give --name node.clinic.example",
            )
        if not tokens:
            raise UsageProblem(
                f"the node does not listen on {self.address} before there is a token",
                "`proml node token create NAME` makes one; it is asked for with every request",
            )

    def bind(self) -> socket.socket:
        """A socket that listens there.

        Raises:
            Busy: when the port is in use.
            UsageProblem: when the address is not one of this machine, or the port is reserved.
        """
        family = socket.AF_INET6 if ":" in _ip(self.address) else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((_ip(self.address), self.port))
            made.listen(1024)
        except OSError as error:
            made.close()
            where = f"{self.address} port {self.port}"
            if error.errno == EADDRINUSE:
                raise Busy(f"{where} is in use", "stop what listens there, or give another --port") from None
            hint = (
                "ports below 1024 are root's" if error.errno == EACCES else "give an address of this machine"
            )
            raise UsageProblem(f"the node cannot listen on {where}: {error.strerror}", hint) from None
        return made


def _ip(address: str) -> str:
    text = "127.0.0.1" if address == "localhost" else address.strip("[]")
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise UsageProblem(
            f"{address!r} is not an IP address", "listen on an address, and give --name for host names"
        ) from None
    return text


def _in_url(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


def _check_certificate(certificate: Path, private_key: Path | None) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            certificate, private_key, password=_no_password
        )
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageProblem(
            f"the certificate {certificate} or its key cannot be used: {reason}",
            "both are PEM files, the key without a passphrase",
        ) from None


def _no_password() -> str:
    return ""
