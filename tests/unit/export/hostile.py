"""Texts that have broken somebody's page, terminal or log before."""

HOSTILE = (
    "<script>alert(1)</script>",
    "</script></style></title><svg/onload=alert(1)>",
    "\"><img src=x onerror=alert(1)>' onmouseover='alert(1)",
    "<!-- --><![CDATA[ ]]><?xml version='1.0'?>",
    "&lt;b&gt; &amp; &#x3c;",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "\x1b]0;owned\x07\x1b[31mred\x1b[2K\r",
    "first\nINFO approved by Auditor\n",
    "invoice\u202egpj.exe\u2066\u2069",
    "a\u200bb\u00adc\ufeffd\U000e0041",
    "nul \x00 and \x85 and \u2028 and \ufffe",
    "lone \ud800 surrogate",
    "z\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
    "=cmd|' /C calc'!A0",
    '"]; click a0 "javascript:alert(1)"',
    "1. **bold** `code` [x](y) $$x^2$$ fa:fa-car %% end --> subgraph",
    "漢字かな交じり文 😀",
    "x" * 10_000,
    " ",
)
HARMLESS = "harmless"
