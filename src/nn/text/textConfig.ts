/** Reading the `config.json` of transformers' text models. */
import { PipiloError } from '../../base/index.ts'
import { activation } from '../layers/activations.ts'
import { isInBounds } from '../settings.ts'

/** Rules by which an architecture reads a configuration. */
export interface ConfigRules<Config> {
  /** Name of the architecture in errors. */
  readonly architecture: string
  /** Positive integers that must be there. */
  readonly sizes: readonly (keyof Config & string)[]
  /** Defaults of transformers for fields that the file lacks; a value in the file must be of the same type. */
  readonly defaults: Readonly<Partial<Config>>
  /** Options that are supported with one value only; a file that is silent is fine. */
  readonly only?: Readonly<Record<string, string | number | boolean>>
  /** Pairs of sizes of which the second must divide the first. */
  readonly divides?: readonly (readonly [whole: keyof Config & string, part: keyof Config & string])[]
  /** Fields that name an activation. */
  readonly activations?: readonly (keyof Config & string)[]
}

/** The fields of a JSON object, `null` meaning that a field is not there; none for what is no object. */
export function fieldsOf(json: unknown): Readonly<Record<string, unknown>> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return {}
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null && value !== undefined))
}

/**
 * Checks the contents of a `config.json` and keeps what the architecture reads.
 *
 * @throws PipiloError `MODEL_INVALID` where a size is missing or no positive integer, or another field has a value of the wrong
 *   type; `OPERATOR_UNSUPPORTED` for options and activations that are not supported
 */
export function readConfig<Config>(json: unknown, rules: ConfigRules<Config>): Config {
  const { architecture, sizes, defaults, only = {}, divides = [], activations = [] } = rules
  const given = fieldsOf(json)
  for (const name of sizes) {
    const value = given[name]
    if (!Number.isSafeInteger(value) || (value as number) <= 0)
      throw invalid(architecture, name, value, 'It must be a positive integer.')
    if (!isInBounds(name, value as number))
      throw invalid(architecture, name, value, 'No network is so large.')
  }
  for (const [name, value] of Object.entries(only)) {
    if (given[name] !== undefined && given[name] !== value)
      throw unsupported(name, given[name], `Only ${value} is.`)
  }
  const config: Record<string, unknown> = { ...defaults }
  for (const name of sizes) config[name] = given[name]
  for (const [name, value] of Object.entries(defaults)) {
    const found = given[name] ?? value
    if (typeof found !== typeof value || (typeof found === 'number' && !Number.isFinite(found)))
      throw invalid(architecture, name, found, `It must be a ${typeof value}.`)
    if (typeof found === 'number' && !isInBounds(name, found))
      throw invalid(architecture, name, found, 'No network is so large.')
    config[name] = found
  }
  for (const [whole, part] of divides) {
    if ((config[whole] as number) % (config[part] as number) !== 0)
      throw invalid(architecture, part, config[part], `It must divide ${whole}, which is ${config[whole]}.`)
  }
  for (const name of activations) activation(config[name] as string)
  return config as Config
}

/** The error for a field with a value that makes no sense. */
export function invalid(architecture: string, name: string, value: unknown, hint: string): PipiloError {
  const said = value === undefined ? 'missing' : JSON.stringify(value)?.slice(0, 200)
  return new PipiloError('MODEL_INVALID', `${architecture}'s configuration has no valid ${name}: ${said}.`, {
    input: name,
    hint,
  })
}

/** The error for an option that is not built here. */
export function unsupported(name: string, value: unknown, hint: string): PipiloError {
  return new PipiloError(
    'OPERATOR_UNSUPPORTED',
    `The option ${name} with the value ${JSON.stringify(value)} is not supported.`,
    { input: name, hint: `${hint} Export the model to ONNX and open that.` },
  )
}

/** How far the tokens of a layer see each other. */
export type LayerType = 'full_attention' | 'sliding_attention'

const LAYER_TYPES: readonly unknown[] = ['full_attention', 'sliding_attention'] satisfies LayerType[]

/**
 * The types of the layers: what `layer_types` says, or `fallback` of each layer's index.
 *
 * @throws PipiloError `MODEL_INVALID` for another number of layers, `OPERATOR_UNSUPPORTED` for other types
 */
export function layerTypes(
  architecture: string,
  given: unknown,
  count: number,
  fallback: (index: number) => LayerType,
): readonly LayerType[] {
  if (given === undefined) return Array.from({ length: count }, (_, i) => fallback(i))
  if (!Array.isArray(given) || given.length !== count)
    throw invalid(architecture, 'layer_types', given, `It must be a list of ${count}, one a layer.`)
  for (const type of given) {
    if (!LAYER_TYPES.includes(type))
      throw unsupported('layer_types', type, `Known: ${LAYER_TYPES.join(', ')}.`)
  }
  return given
}
