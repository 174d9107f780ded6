/**
 * Runs the claims one after another, and writes their results into README.md.
 *
 *     npm run claims                          # all, three seeds each; what has run before is kept
 *     npm run claims -- --only 1,2 --seeds 1
 *     npm run claims -- --quick               # small forms of all, in less than three minutes; README.md stays as it is
 *     npm run claims -- --table               # README.md from what has run, without running anything
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { writeFileAtomic } from '../../src/base/files/index.ts'
import { type ClaimResult, cells } from './shared/claim.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    table: { type: 'boolean', default: false },
    seeds: { type: 'string', default: '3' },
    only: { type: 'string' },
  },
})
const here = fileURLToPath(new URL('.', import.meta.url))
const only = values.only?.split(',')
const claims = readdirSync(here)
  .filter((name) => /^\d+-.*\.ts$/.test(name))
  .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))

if (values.quick) runQuick()
else {
  if (!values.table) for (const name of chosen()) run(name, ['--seeds', values.seeds], 'inherit')
  await writeResults()
}

function chosen(): string[] {
  return claims.filter((name) => !only || only.includes(`${Number.parseInt(name, 10)}`))
}

function run(name: string, words: readonly string[], out: 'inherit' | 'pipe'): string {
  const argv = ['--import', 'tsx', join(here, name), ...words]
  return execFileSync(process.execPath, argv, { encoding: 'utf8', stdio: ['ignore', out, 'inherit'] })
}

/** Every claim anew in a folder that is gone afterwards, as claims share what they have trained. */
function runQuick(): void {
  const out = mkdtempSync(join(tmpdir(), 'pipilo-claims-'))
  try {
    for (const name of chosen()) run(name, ['--quick', '--out', out], 'inherit')
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}

/** Puts the results between the marks in README.md. */
async function writeResults(): Promise<void> {
  const results = claims.map((name) => [name, resultOf(name)] as const)
  const path = join(here, 'README.md')
  const [before, old = '', after] = readFileSync(path, 'utf8').split(/<!-- (?:results|end of results) -->\n/)
  if (after === undefined) throw new Error(`${path} has no marks for the results.`)
  // A claim that has not run here keeps what stands there of it.
  const sections = results.map(
    ([name, result]) => (result ? undefined : sectionIn(old, name)) ?? section(name, result),
  )
  const text = [summary(results, old), ...sections].join('\n\n')
  await writeFileAtomic(path, `${before}<!-- results -->\n\n${text}\n\n<!-- end of results -->\n${after}`)
}

/** The section of a claim among others: it names the command. */
function sectionIn(old: string, name: string): string | undefined {
  return old
    .split(/^(?=### )/m)
    .find((part) => part.startsWith('### ') && part.includes(`examples/claims/${name} `))
    ?.trim()
}

/** What has run of a claim. */
function resultOf(name: string): ClaimResult | undefined {
  const text = run(name, ['--kept', '--json', '--seeds', values.seeds], 'pipe')
  return text.startsWith('{') ? (JSON.parse(text) as ClaimResult) : undefined
}

function summary(results: readonly (readonly [string, ClaimResult | undefined])[], old: string): string {
  const rowIn = (name: string) =>
    old
      .split('\n')
      .find((line) => line.startsWith('| [') && line.includes(`](${name})`))
      ?.slice(2, -2)
      .split(' | ')
  const rows = results.map(
    ([name, result]) =>
      (result ? undefined : rowIn(name)) ?? [
        `[${name.replace('.ts', '')}](${name})`,
        result?.statement ?? '',
        result?.verdict ?? 'not yet run',
        result ? `${result.seeds.length}` : '',
        result ? minutes(result) : '',
      ],
  )
  return markdown(['file', 'claim', 'outcome', 'seeds', 'processor minutes a seed'], rows)
}

function minutes({ cpuSeconds }: ClaimResult): string {
  return (Math.max(...cpuSeconds) / 60).toFixed(1)
}

function section(name: string, result: ClaimResult | undefined): string {
  const command = `\`npx tsx examples/claims/${name} --seeds ${values.seeds}\``
  if (!result) return `### ${name}\n\n${command}: not yet run.`
  const { columns, rows } = cells(result.figures, result.seeds.length, result.decimals)
  return [
    `### ${result.number}. ${result.statement}: ${result.verdict}`,
    command,
    markdown(['', ...columns], rows),
    Object.entries(result.checks)
      .map(([check, holds]) => `- ${holds ? 'yes' : 'no'}: ${check}`)
      .join('\n'),
  ].join('\n\n')
}

function markdown(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n')
}
