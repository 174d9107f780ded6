/** The frame of a claim: seeds, `--quick`, results that are kept, a table with the spread, and what the figures say of the claim. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { writeFileAtomic } from '../../../src/base/files/index.ts'
import { table } from '../../../src/cli/table.ts'

/** Figures by row and column. */
export type Figures = Readonly<Record<string, Readonly<Record<string, number>>>>

/** A claim of the article. */
export interface Claim {
  readonly number: number
  readonly statement: string
  /** Run for one seed. Equal seeds give equal figures; what is in `folder` goes on where it was stopped. */
  measure(at: ClaimRun): Promise<Figures>
  /** The conditions under which the claim holds, each in words, and if these figures fulfil it. */
  readonly checks: Readonly<Record<string, (figures: Figures) => boolean>>
  /** Decimals of the table. Default 1. */
  readonly decimals?: number
}

/** One run of a claim. */
export interface ClaimRun {
  readonly seed: number
  /** Smaller data and fewer steps: all claims together take less than three minutes. */
  readonly quick: boolean
  /** Own folder of this run, which is there. */
  readonly folder: string
  /** Tells how far it is, on standard error. */
  say(line: string): void
}

/** A seed's result as it is kept. */
interface SeedResult {
  readonly figures: Figures
  /** On the clock, and of the processors together: the first is long where others compute as well. */
  readonly seconds: number
  readonly cpuSeconds: number
}

/** Outcome of a claim, as `--json` prints it. */
export interface ClaimResult {
  readonly number: number
  readonly statement: string
  readonly quick: boolean
  readonly seeds: readonly number[]
  /** Seconds a seed took, on the clock and of the processors together. */
  readonly seconds: readonly number[]
  readonly cpuSeconds: readonly number[]
  /** Mean and standard deviation over the seeds, by row and column. */
  readonly figures: Readonly<Record<string, Readonly<Record<string, { mean: number; spread: number }>>>>
  /** Conditions, and if every seed fulfils them. */
  readonly checks: Readonly<Record<string, boolean>>
  readonly verdict: Verdict
  readonly decimals: number
}

export type Verdict = 'holds' | 'holds partly' | 'does not hold'

/** The file of a seed's result in its folder. */
const RESULT = 'result.json'

/** Folder of all runs, out of git. */
export const RUNS = fileURLToPath(new URL('../../../runs/claims', import.meta.url))

/** Folder of the results of whole runs, in git: the tables are made of them, and of newer ones in {@link RUNS}. */
const RESULTS = fileURLToPath(new URL('../results', import.meta.url))

/**
 * Runs a claim by the words of the command line: `--quick`, `--seeds 3`, `--json`, `--out FOLDER`. `--kept` runs nothing: it prints `null`, or the
 * result of those seeds that have run.
 */
export async function claim(definition: Claim): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      seeds: { type: 'string' },
      json: { type: 'boolean', default: false },
      kept: { type: 'boolean', default: false },
      out: { type: 'string', default: RUNS },
    },
  })
  const { quick, out } = values
  const count = Number(values.seeds ?? (quick ? 1 : 3))
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`--seeds is ${values.seeds}; it is a number from 1.`)
  const folderOf = (seed: number) => join(out, `${definition.number}${quick ? '-quick' : ''}`, `seed-${seed}`)
  const isWhole = !quick && out === RUNS
  const inGit = (seed: number) => join(RESULTS, `${definition.number}`, `seed-${seed}.json`)
  const keptOf = (seed: number) =>
    [join(folderOf(seed), RESULT), ...(isWhole ? [inGit(seed)] : [])].find((file) => existsSync(file))
  const seeds = Array.from({ length: count }, (_, seed) => seed).filter(
    (seed) => !values.kept || keptOf(seed) !== undefined,
  )
  if (seeds.length === 0) {
    console.log('null')
    return
  }
  const results: SeedResult[] = []
  for (const seed of seeds) {
    const kept = values.kept ? keptOf(seed) : undefined
    const found = kept
      ? (JSON.parse(readFileSync(kept, 'utf8')) as SeedResult)
      : await resultOf(definition, { seed, quick, folder: folderOf(seed), say })
    results.push(found)
    if (!values.kept && isWhole) {
      mkdirSync(dirname(inGit(seed)), { recursive: true })
      await writeFileAtomic(inGit(seed), json(found))
    }
  }
  const result = summary(definition, quick, seeds, results)
  console.log(values.json ? JSON.stringify(result) : report(result))
}

/** Ends the process without a result, which is no failure: something that the claim needs is not on this machine. */
export function leaveOut(number: number, reason: string): never {
  console.log(`Claim ${number} is left out: ${reason}.`)
  process.exit(0)
}

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

/** The kept result of a seed, or a new one. */
async function resultOf(definition: Claim, run: ClaimRun): Promise<SeedResult> {
  const file = join(run.folder, RESULT)
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as SeedResult
  mkdirSync(run.folder, { recursive: true })
  const [start, usage] = [performance.now(), process.cpuUsage()]
  const figures = await definition.measure(run)
  // A run that was stopped counts the time of its last part alone.
  const { user, system } = process.cpuUsage(usage)
  const seconds = (performance.now() - start) / 1000
  const result: SeedResult = { figures, seconds, cpuSeconds: (user + system) / 1e6 }
  await writeFileAtomic(file, json(result))
  return result
}

const json = (result: SeedResult): string => `${JSON.stringify(result, null, 2)}\n`

function summary(
  { number, statement, checks, decimals = 1 }: Claim,
  quick: boolean,
  seeds: readonly number[],
  results: readonly SeedResult[],
): ClaimResult {
  const figures = Object.fromEntries(
    Object.entries(results[0]!.figures).map(([row, columns]) => [
      row,
      Object.fromEntries(
        Object.keys(columns).map((column) => [
          column,
          spreadOf(results.map((result) => result.figures[row]![column]!)),
        ]),
      ),
    ]),
  )
  const held = Object.fromEntries(
    Object.entries(checks).map(([name, check]) => [name, results.every((result) => check(result.figures))]),
  )
  const count = Object.values(held).filter(Boolean).length
  const verdict = count === Object.keys(held).length ? 'holds' : count > 0 ? 'holds partly' : 'does not hold'
  return {
    number,
    statement,
    quick,
    seeds,
    seconds: results.map((r) => r.seconds),
    cpuSeconds: results.map((r) => r.cpuSeconds),
    figures,
    checks: held,
    verdict,
    decimals,
  }
}

/** Mean and standard deviation (0 of one value). */
function spreadOf(values: readonly number[]): { mean: number; spread: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0)
  return { mean, spread: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 }
}

/** The figures as texts: headings, and rows that begin with their name. */
export function cells(
  figures: ClaimResult['figures'],
  seeds: number,
  decimals: number,
): { readonly columns: string[]; readonly rows: string[][] } {
  const columns = [...new Set(Object.values(figures).flatMap((row) => Object.keys(row)))]
  const cell = (value: { mean: number; spread: number } | undefined) => {
    if (!value) return ''
    return value.mean.toFixed(decimals) + (seeds > 1 ? ` ± ${value.spread.toFixed(decimals)}` : '')
  }
  const rows = Object.entries(figures).map(([row, values]) => [row, ...columns.map((c) => cell(values[c]))])
  return { columns, rows }
}

/** The result for people. */
function report(result: ClaimResult): string {
  const { number, statement, figures, checks, verdict, seeds, quick, cpuSeconds, decimals } = result
  const { columns, rows } = cells(figures, seeds.length, decimals)
  return [
    `Claim ${number}: ${statement}`,
    `${quick ? 'Quick form; ' : ''}${seeds.length} ${seeds.length === 1 ? 'seed' : 'seeds'}, ${Math.max(...cpuSeconds).toFixed(0)} s of processor time a seed at most`,
    '',
    table([{ heading: '' }, ...columns.map((heading) => ({ heading, align: 'right' as const }))], rows),
    '',
    ...Object.entries(checks).map(([name, holds]) => `${holds ? 'yes' : 'no '}  ${name}`),
    `The claim ${verdict}${quick ? ' in its quick form' : ''}.`,
  ].join('\n')
}
