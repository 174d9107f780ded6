// Compares two recipes, and says in what they differ, where their vectors cannot be compared.
import { canonicalJson } from '../../base/index.ts'
import type { Recipe } from './types.ts'

/** The parts that make vectors comparable, by the names that a sentence calls them. What is read of a text is not among them. */
function partsOf({
  modality,
  taps,
  pool,
  normalize,
  dimensions,
  dtype,
  calibration,
  image,
  text,
  inputs,
  featureAxis,
  source,
}: Recipe) {
  const { size, ...preparation } = image ?? {}
  return {
    modality,
    tower: source.tower,
    tap: taps.join(','),
    pool,
    normalize,
    dimensions: dimensions || undefined,
    dtype,
    calibration,
    size: size?.join(' × '),
    ...preparation,
    tokenizer: text?.tokenizer,
    lowercase: text?.lowercase,
    clean: text?.clean,
    padding: text?.padding,
    inputs,
    featureAxis,
  }
}

/**
 * In what two recipes differ that must be alike for their vectors to be compared, each as `pool mean, not cls`; nothing where they can be.
 *
 * Prompt, limit and chunks are free: a query is read otherwise than a document, and searched for all the same.
 */
export function recipeDifferences(has: Recipe, wanted: Recipe): string[] {
  const [a, b] = [partsOf(has), partsOf(wanted)] as Record<string, unknown>[]
  const names = [...new Set([...Object.keys(a!), ...Object.keys(b!)])]
  const differing = names.filter((name) => {
    // A length that only running tells is not known to differ.
    if (name === 'dimensions' && (a![name] === undefined || b![name] === undefined)) return false
    return canonicalJson(a![name] ?? null) !== canonicalJson(b![name] ?? null)
  })
  const said = differing.map((name) => `${name} ${worded(a![name])}, not ${worded(b![name])}`)
  const [old, now] = [has.source, wanted.source]
  if (old.fingerprint === now.fingerprint) return said
  // In another precision or for another size a model has another fingerprint.
  const explained = ['dtype', 'calibration', 'size'].some((name) => differing.includes(name))
  if (old.name !== now.name) return [`model ${old.name}, not ${now.name}`, ...said]
  return explained ? said : [`other weights of ${old.name}`, ...said]
}

function worded(value: unknown): string {
  if (value === undefined) return 'none'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
