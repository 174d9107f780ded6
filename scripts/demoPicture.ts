/** Draws what `pipilo demo` prints as docs/demo.svg, the picture at the head of the README. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pipilo-demo-'))
const printed = execFileSync(
  process.execPath,
  ['--import', import.meta.resolve('tsx'), join(project, 'src/cli/main.ts'), 'demo'],
  {
    cwd: folder,
    encoding: 'utf8',
  },
)
rmSync(folder, { recursive: true })

const [fontSize, lineHeight, margin] = [13, 18, 18]
const text = ['$ npm start', '', ...printed.trimEnd().split('\n')]
const width = Math.max(...text.map((line) => line.length)) * fontSize * 0.602 + 2 * margin
const height = text.length * lineHeight + 2 * margin
const escaped = (line: string) => line.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const colour = (line: string) =>
  line.startsWith('$') ? '#7ee787' : /^(Nearest|Sentences|Pictures|Next)/.test(line) ? '#79c0ff' : '#e6edf3'
const rows = text.map(
  (line, i) =>
    `<text x="${margin}" y="${margin + (i + 0.75) * lineHeight}" fill="${colour(line)}" xml:space="preserve">${escaped(line)}</text>`,
)
mkdirSync(join(project, 'docs'), { recursive: true })
writeFileSync(
  join(project, 'docs/demo.svg'),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${Math.ceil(width)} ${height}" width="${Math.ceil(width)}" height="${height}" font-family="ui-monospace, SFMono-Regular, Menlo, DejaVu Sans Mono, monospace" font-size="${fontSize}">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${rows.join('\n')}
</svg>
`,
)
console.log('wrote docs/demo.svg')
