/** How the pages of decision links look, in light and dark. */
export const pageStyle = `
:root { color-scheme: light dark; --ground: #f6f6f4; --sheet: #ffffff; --ink: #1d1f22; --quiet: #5d636b; --line: #dfe1e0;
  --mark: #fff3d1; --edge: #b7791f; --yes: #1b6b45; --no: #a3312c; --well: #1b6b45; --ill: #a3312c; --code: #f1f2f0; }
@media (prefers-color-scheme: dark) { :root { --ground: #15171a; --sheet: #1d2024; --ink: #e8e9ea; --quiet: #9aa1a9;
  --line: #33383e; --mark: #3b3217; --edge: #e0a83f; --yes: #26794f; --no: #b8443f; --well: #5cc48f; --ill: #f0827c; --code: #25292e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
.brand { margin: 0 0 1.5rem; color: var(--quiet); font-size: .85rem; letter-spacing: .04em; }
h1 { margin: 0 0 .25rem; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }

h1.well { color: var(--well); } h1.ill { color: var(--ill); }
h2 { margin: 0 0 .75rem; font-size: .85rem; font-weight: 600; color: var(--quiet); }
.lead { margin: 0 0 1.5rem; font-size: 1.05rem; white-space: pre-line; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); margin: 0 0 1rem; font-size: .9rem; }
.problem { margin: 0 0 1.5rem; padding: .75rem 1rem; border-left: 4px solid var(--ill); background: var(--sheet); }
section { margin: 0 0 1rem; padding: 1rem 1.25rem 1.1rem; background: var(--sheet); border: 1px solid var(--line); border-radius: 10px; }
dl { margin: 0; } dl div { display: grid; grid-template-columns: minmax(7rem, 11rem) 1fr; gap: 0 1rem; padding: .3rem 0; }
dl.args div { border-top: 1px solid var(--line); padding: .5rem 0; } dl.args div:first-child { border-top: 0; padding-top: 0; }
dl.args div:last-child { padding-bottom: 0; }
dt { color: var(--quiet); overflow-wrap: anywhere; } dd { margin: 0; min-width: 0; overflow-wrap: anywhere; unicode-bidi: isolate; }
dl.args dt { font-family: ui-monospace, monospace; font-size: .9rem; } dl.args dd { font-weight: 600; }
.string { white-space: pre-wrap; }
code, pre { font-family: ui-monospace, monospace; font-size: .9rem; } h1 code, dl.args dd > code { font-size: .95em; }
dl.args pre { white-space: pre-wrap; }
pre { margin: 0; padding: .6rem .75rem; background: var(--code); border-radius: 6px; overflow: auto; max-height: 22rem; font-weight: 400; }
.source { padding: .6rem 0; tab-size: 4; line-height: 1.55; } .source span { display: block; padding: 0 .75rem; min-width: max-content; }
.source i { display: inline-block; width: 2.5rem; color: var(--quiet); font-style: normal; user-select: none; }
.source .asks { background: var(--mark); box-shadow: inset 3px 0 var(--edge); font-weight: 600; }
details { margin-top: .75rem; } summary { cursor: pointer; color: var(--quiet); font-size: .9rem; }
ul { margin: .5rem 0 0; padding-left: 1.2rem; } li { overflow-wrap: anywhere; }
main { counter-reset: ticked; } input[name="row"]:checked { counter-increment: ticked; }
.count { font-size: 0; } .count::after { content: counter(ticked); font-size: 1rem; }
.rehearsal ol { list-style: none; margin: 0 0 1rem; padding: 0; border: 1px solid var(--line); border-radius: 6px; }
.rehearsal ol li { border-top: 1px solid var(--line); font-size: .9rem; } .rehearsal ol li:first-child { border-top: 0; }
.rehearsal ol li > * { display: grid; grid-template-columns: 1.1rem 1.8rem 1fr; gap: 0 .5rem; align-items: baseline; padding: .4rem .6rem; font-size: inherit; }
.rehearsal label { cursor: pointer; } .rehearsal label:hover { background: var(--code); }
.rehearsal li > * > span { min-width: 0; unicode-bidi: isolate; } .rehearsal .n { color: var(--quiet); text-align: right; }
.rehearsal li b { font-weight: 600; } .rehearsal li em, .rehearsal li small { display: block; color: var(--ill); font: inherit; } .rehearsal li small { color: var(--quiet); }
.tag { margin-left: .35rem; padding: 0 .4rem; border: 1px solid var(--line); border-radius: 4px; font-size: .8rem; white-space: nowrap; }
.doubt { border-color: var(--edge); }
.totals { margin: 0 0 1rem; } .note { margin: 0 0 .5rem; padding-left: .75rem; border-left: 3px solid var(--edge); font-size: .9rem; overflow-wrap: anywhere; }
.forms { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1.5rem; }
form { display: flex; flex-direction: column; gap: .6rem; }
input[type="checkbox"], input[type="radio"] { flex: none; width: 1rem; height: 1rem; margin: 0; accent-color: var(--yes); transform: translateY(.15rem); }
label { font-size: .9rem; } .check { display: flex; gap: .5rem; align-items: baseline; }
textarea { width: 100%; padding: .5rem .6rem; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--line); border-radius: 6px; resize: vertical; }
button { margin-top: auto; padding: .65rem 1rem; font: inherit; font-weight: 600; color: #ffffff; border: 0; border-radius: 6px; cursor: pointer; }
.yes { background: var(--yes); } .no { background: var(--no); }
.plain { margin-top: 0; color: inherit; background: none; border: 1px solid var(--line); }
button:focus-visible, textarea:focus-visible, summary:focus-visible, input:focus-visible, pre:focus-visible { outline: 3px solid var(--edge); outline-offset: 2px; }
`;
