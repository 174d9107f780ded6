// Registry of operators by name, for `dc` and `ops`.
import { closest, PipiloError } from '../base/index.ts'

/** Function that makes an operator from options; the caller knows which options and operator. */
export type AnyFactory = (...options: never) => object

const registry = new Map<string, AnyFactory>()
const reserved = new Set(['then', 'toJSON', 'constructor'])

/** Names that no operator may take, because `dc` has a method of that name. */
export function reserveNames(names: Iterable<string>): void {
  for (const name of names) reserved.add(name)
}

/** @throws PipiloError `OPTION_INVALID` if the name is taken or is not made of identifiers */
export function register(name: string, factory: AnyFactory): void {
  const groups = [...registry.keys()].some(
    (other) => other.startsWith(`${name}.`) || name.startsWith(`${other}.`),
  )
  if (registry.has(name) || groups || reserved.has(name.split('.')[0]!))
    throw new PipiloError('OPTION_INVALID', `The operator name '${name}' is taken.`, {
      input: name,
      hint: 'Choose another, or put it into a group of your own, such as mine.name.',
    })
  if (!/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(name))
    throw new PipiloError('OPTION_INVALID', `'${name}' cannot be the name of an operator.`, {
      input: name,
      hint: 'Use identifiers joined by dots.',
    })
  registry.set(name, factory)
}

/**
 * The entry under a name: `leaf` of the operator, or the group of operators that begin with it.
 *
 * @throws PipiloError `OPERATOR_UNKNOWN` with the closest names
 */
export function lookUp(name: string, leaf: (factory: AnyFactory) => unknown): unknown {
  const factory = registry.get(name)
  if (factory) return leaf(factory)
  const names = [...registry.keys()]
  if (names.some((known) => known.startsWith(`${name}.`)))
    return new Proxy({}, { get: (_, property) => lookUpProperty(`${name}.`, property, leaf) })
  const last = name.split('.').at(-1)!
  const near = closest(name, names)
  const byLastPart = names.filter((known) => closest(last, known.split('.')).length > 0)
  const hints = [...new Set([...near, ...byLastPart])].slice(0, 3)
  throw new PipiloError('OPERATOR_UNKNOWN', `There is no operator '${name}'.`, {
    input: name,
    hint: hints.length ? `Closest: ${hints.join(', ')}.` : `Known: ${names.join(', ')}.`,
  })
}

/** As {@link lookUp}, for a proxy: names that the language and its inspectors try on every object are not operators. */
export function lookUpProperty(
  prefix: string,
  property: string | symbol,
  leaf: (factory: AnyFactory) => unknown,
): unknown {
  if (typeof property === 'symbol' || probed.has(property) || !/^\w+$/.test(property)) return undefined
  return lookUp(prefix + property, leaf)
}

const probed = new Set(['then', 'toJSON', 'constructor', 'nodeType', 'tagName', 'asymmetricMatch', 'inspect'])
