// How the page of latents looks. Colours are variables, of which the dark scheme replaces some; --a is a token's share of the
// largest activation.

extension LatentsPage {
  static let style: HTMLText = """

    :root { --ink: #1c1e21; --dim: #62676f; --line: #e2e4e8; --paper: #ffffff; --card: #f7f8fa; --hit: 240, 120, 20; \
    --link: #0b57b8; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #e4e6ea; --dim: #9aa1ab; --line: #34383f; --paper: #17191d; --card: #1f2227; --hit: 245, 150, 60; \
    --link: #8ab4f8; }
    }
    * { box-sizing: border-box; }
    body { margin: 0 auto; padding: 2rem 1.25rem 3rem; max-width: 60rem; background: var(--paper); color: var(--ink); \
    font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
    h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; }
    h2 { margin: 0 0 .5rem; font-size: 1.25rem; }
    h3 { margin: 1.5rem 0 .5rem; font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; color: var(--dim); }
    h4 { margin: 0 0 .35rem; font-size: .85rem; color: var(--dim); font-weight: 600; }
    p { margin: 0 0 .5rem; overflow-wrap: anywhere; }
    header p, footer, .more, .none { color: var(--dim); }
    a { color: var(--link); }
    nav { display: flex; flex-wrap: wrap; gap: .4rem .9rem; margin-top: .5rem; }
    section { margin-top: 2rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
    footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .85rem; }
    .told { font-size: 1.05rem; }
    cite { color: var(--dim); font-size: .8rem; font-style: normal; white-space: nowrap; }
    .note { border-left: 3px solid var(--line); padding-left: .75rem; white-space: pre-wrap; }
    .tag { display: inline-block; padding: .05rem .5rem; border: 1px solid var(--line); border-radius: 1rem; font-size: .75rem; \
    font-weight: 400; color: var(--dim); vertical-align: middle; }
    dl { display: flex; flex-wrap: wrap; gap: .5rem 1.75rem; margin: 1rem 0; }
    dt { font-size: .75rem; color: var(--dim); }
    sup { line-height: 0; }
    dd { margin: 0; font-variant-numeric: tabular-nums; }
    .lens { font-size: .9rem; }
    .lens span, .prompt span { color: var(--dim); font-size: .75rem; margin-right: .35rem; }
    code { font: .85em ui-monospace, "SF Mono", Menlo, Consolas, monospace; background: var(--card); padding: .1rem .3rem; \
    border-radius: .25rem; white-space: pre-wrap; }
    .contexts { list-style: none; margin: 0; padding: 0; }
    .contexts li { display: grid; grid-template-columns: 1fr auto; gap: 1rem; padding: .55rem 0; border-top: 1px solid var(--line); }
    .contexts li:first-child { border-top: 0; }
    .contexts p { margin: 0; white-space: pre-wrap; }
    .peak { color: var(--dim); font-size: .85rem; font-variant-numeric: tabular-nums; }
    mark { background: rgba(var(--hit), var(--a)); color: inherit; border-radius: .15rem; }
    mark.strong { color: #1b1206; }
    article { padding: 1rem; margin-bottom: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
    .prompt, .answer { white-space: pre-wrap; }
    .plan, .figures { color: var(--dim); font-size: .8rem; }
    .answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: 1rem; margin-top: .75rem; }
    .answers p { margin-bottom: .35rem; }
    @media print { body { max-width: none; padding: 0; } section { break-inside: auto; } li, article { break-inside: avoid; } \
    mark { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }

    """
}
