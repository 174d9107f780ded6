/**
 * Report of the comparisons of this folder, family by family, as REPORT.md.
 *
 *     npx tsx bench/parity/zoo/report.ts
 *
 * Reads report-cnn.json and report-vits.json (vision), report-openclip.json (two towers) and report-text.json, as the Python
 * programs beside them write them. Its first line is what README quotes.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

interface Line {
  readonly family: string
  readonly name: string
  readonly ok: boolean
  /** As it is, with fewer blocks (and names and shapes as it is), or names and shapes only. */
  readonly way?: 'whole' | 'reduced' | 'shapes'
  readonly pretrained?: number
  readonly cosine?: number
  readonly error?: number
  readonly failure?: string
  /** How far PyTorch's float32 is from its float64. */
  readonly rounding?: number
}

interface Report {
  readonly versions: Readonly<Record<string, string>>
  readonly models: readonly Line[]
}

const at = (name: string) => new URL(name, import.meta.url)
const read = (name: string): Report =>
  existsSync(at(name)) ? JSON.parse(readFileSync(at(name), 'utf8')) : { versions: {}, models: [] }

const [cnn, vits, openclip, text] = ['cnn', 'vits', 'openclip', 'text'].map((name) =>
  read(`report-${name}.json`),
) as [Report, Report, Report, Report]

const sum = (numbers: Iterable<number>) => [...numbers].reduce((a, b) => a + b, 0)
const count = (lines: readonly Line[], keep: (line: Line) => boolean) => lines.filter(keep).length
const row = (cells: readonly unknown[]) => `| ${cells.join(' | ')} |`
const worst = (lines: readonly Line[]) => {
  const errors = lines.flatMap((line) => (line.ok && line.error !== undefined ? [line.error] : []))
  return errors.length > 0 ? Math.max(...errors).toExponential(1) : ''
}

function families(lines: readonly Line[]): Map<string, Line[]> {
  const found = new Map<string, Line[]>()
  for (const line of lines) found.set(line.family, [...(found.get(line.family) ?? []), line])
  return found
}

function table(lines: readonly Line[], what: string): string[] {
  const cells = (title: string, some: readonly Line[]) =>
    row([
      title,
      some.length,
      count(some, ({ ok, way }) => ok && way === 'whole'),
      count(some, ({ ok, way }) => ok && way === 'reduced'),
      count(some, ({ ok, way }) => ok && way === 'shapes'),
      count(some, ({ ok }) => !ok),
      sum(some.map(({ ok, pretrained }) => (ok ? (pretrained ?? 0) : 0))) || '',
      worst(some),
    ])
  return [
    row([
      'family',
      what,
      'agree',
      'agree with fewer blocks',
      'names and shapes agree',
      'fail',
      'pretrained names',
      'largest error',
    ]),
    row(['---', '---', '---', '---', '---', '---', '---', '---']),
    ...[...families(lines)].map(([family, some]) => cells(family, some)),
    cells('all', lines),
  ]
}

/** Lines of the models that failed, with a note where the error is below that of PyTorch itself. */
function failures(lines: readonly Line[]): string[] {
  const failed = lines.filter(({ ok }) => !ok)
  if (failed.length === 0) return ['No failures.']
  return failed.map(({ family, name, failure, error, rounding }) => {
    const own = rounding && error && error <= rounding
    const note = own ? ` PyTorch’s float32 itself is ${rounding.toExponential(1)} from its float64 here.` : ''
    return `- ${family}, ${name}: ${failure?.replace(/\.$/, '')}.${note}`
  })
}

const named = [...cnn.models, ...vits.models].filter(({ family }) =>
  /^(timm|torchvision): (?!other)/.test(family),
)
const others = vits.models.filter((line) => !named.includes(line))
const architectures = [...named, ...openclip.models]
const agree = architectures.filter(({ ok }) => ok)
const reduced = count(agree, ({ way }) => way === 'reduced')
const configurations = text.models.filter(({ name }) => name.startsWith('configuration'))
const sources = openclip.models.length > 0 ? 'timm, torchvision and OpenCLIP' : 'timm and torchvision'
const headline =
  `**${agree.length} of ${architectures.length} architectures of ${sources} agree** (cosine at least 0.9999, ` +
  `error at most 1e-4, everything drawn at random), ${reduced} of them, the larger ones, with fewer blocks and by the names and shapes of all ` +
  `their tensors; they cover ${sum(agree.map(({ pretrained }) => pretrained ?? 0))} pretrained names. ` +
  `Of ${configurations.length} random configurations of ${families(configurations).size} text architectures ` +
  `${count(configurations, ({ ok }) => ok)} agree with transformers, and ${count(others, ({ ok }) => ok)} of ${others.length} of its vision models ` +
  'and of pictures of other sizes.'

const versions = Object.entries({ ...text.versions, ...openclip.versions, ...vits.versions, ...cnn.versions })
const lines = [
  '# Parity of the zoo',
  '',
  headline,
  '',
  'Every parameter and every buffer is drawn at random: also scales, layer scales and running statistics, which are zero or one in a new model and',
  'would hide mistakes. Compared are logits, `forward_features`, what lies below the head, and every stage or block; for text every hidden state',
  'and attention map. The error is the largest difference over the largest deviation of the reference from its mean. Written by',
  `report.ts; references: ${versions.map(([name, version]) => `${name} ${version}`).join(', ')}.`,
  '',
  '## Vision, by name',
  '',
  ...table(named, 'architectures'),
  '',
  ...failures(named),
  '',
  'Not built, of timm’s relatives of these families: `samvit_*` (4), `naflexvit_*` (14), `vitamin_*` (13), `visformer_*` (2), and the residual',
  'networks of `byobnet` and `regnet`: other architectures that share the name. Of torchvision: residual networks of videos (3).',
  '',
  '## Vision, by transformers’ configurations, and pictures of other sizes',
  '',
  ...table(others, 'cases'),
  '',
  ...failures(others),
  ...(openclip.models.length > 0
    ? ['', '## OpenCLIP', '', ...table(openclip.models, 'architectures'), '', ...failures(openclip.models)]
    : []),
  '',
  '## Text, by transformers’ configurations',
  '',
  ...table(text.models, 'cases'),
  '',
  ...failures(text.models),
  '',
]
writeFileSync(at('REPORT.md'), lines.join('\n'))
console.log(lines.join('\n'))
