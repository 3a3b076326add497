/** For a phone and a terminal's browser as well; by the system's colours, dark or light. */
export const STYLE = `
:root{color-scheme:light dark;font:16px/1.45 system-ui,sans-serif}
body{margin:0 auto;max-width:72rem;padding:1rem}
.verdict{border:.35rem solid;border-radius:.5rem;padding:.5rem 1rem;margin:0 0 1rem}
.proved{border-color:#1a7f37}.accepted{border-color:#9a6700}.unproved{border-color:#cf222e}
.verdict h1{margin:.2rem 0;font-size:2rem}
h2{margin:2rem 0 .5rem;font-size:1.25rem}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:0}
.facts dt{font-weight:600}.facts dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem}
th,td{border-bottom:1px solid #8884;padding:.2rem .6rem;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}
code{font-size:.85em;overflow-wrap:anywhere}
li{overflow-wrap:anywhere}
`
