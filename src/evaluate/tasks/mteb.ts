/** Evaluations in the form of MTEB's result files. */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import type { Evaluation, TaskKind } from './types.ts'

const mtebTypes: OptionTable<MtebOptions> = {
  task: is.name,
  split: is.name,
  revision: is.text,
  languages: is.listOf(is.text),
}

/** Options of {@link mtebResult}. */
export interface MtebOptions {
  /** Name of the task as MTEB has it, such as `STSBenchmark`. Default: the evaluation's. */
  readonly task?: string
  /** Default `test`. */
  readonly split?: string
  /** Revision of the data. Default `unknown`. */
  readonly revision?: string
  /** Languages as MTEB writes them. Default `['eng-Latn']`. */
  readonly languages?: readonly string[]
}

/** A result file of MTEB for one task. */
export interface MtebResult {
  readonly dataset_revision: string
  readonly task_name: string
  /** MTEB did not measure it. */
  readonly mteb_version: null
  readonly scores: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>
  /** Seconds. */
  readonly evaluation_time: number
  readonly kg_co2_emissions: null
}

/** Names of measures that MTEB calls otherwise. */
const names: Readonly<Record<TaskKind, Readonly<Record<string, string>>>> = {
  similarity: { spearman: 'cosine_spearman', pearson: 'cosine_pearson' },
  classification: { probe_accuracy: 'accuracy', probe_macro_f1: 'f1' },
  clustering: { v_measure: 'v_measure' },
  retrieval: {},
  'few-shot': {},
  'zero-shot': {},
}

/**
 * An evaluation as MTEB writes its results, so that it stands beside the published ones.
 *
 * @example
 * ```ts
 * await writeFile('STSBenchmark.json', JSON.stringify(mtebResult(evaluation, { task: 'STSBenchmark', split: 'dev' })))
 * ```
 *
 * @remarks
 * The form of https://github.com/embeddings-benchmark/results: `scores[split][0].main_score`, with the measures under MTEB's names (`ndcg_at_10`,
 * `cosine_spearman`). `mteb_version` is null, as MTEB did not measure it and parses any text there as a version of its own. MTEB's own
 * classification draws 8 to 16 examples a class, ten times; ours learns from the whole training part.
 */
export function mtebResult(evaluation: Evaluation, options: MtebOptions = {}): MtebResult {
  checkOptions('mtebResult', options, mtebTypes)
  const { task, main, measures, cost } = evaluation
  const { split = 'test', revision = 'unknown', languages = ['eng-Latn'] } = options
  const named = Object.entries(measures).map(([name, value]) => [
    names[task.kind][name] ?? name.replace('@', '_at_'),
    value,
  ])
  return {
    dataset_revision: revision,
    task_name: options.task ?? task.name,
    // `TaskResult.from_disk` parses a text with packaging.Version, which refuses a name, and allows null.
    mteb_version: null,
    scores: {
      [split]: [{ ...Object.fromEntries(named), main_score: main.value, hf_subset: 'default', languages }],
    },
    evaluation_time: cost.seconds,
    kg_co2_emissions: null,
  }
}
