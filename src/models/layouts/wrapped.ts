// Finds the network within the checkpoint of a wrapper, such as Lightning's or DINO's.
import type { Initializer } from '../../graph/index.ts'
import { chosenNote, conventional, severalNetworks } from '../formats/networks.ts'

/** The tensors with which networks for pictures begin, by the names of timm and torchvision. */
const first =
  '(?:cls_token|pos_embed|patch_embed\\.proj\\.weight|conv1\\.(?:0\\.)?weight|conv_stem\\.weight|stem[._]0\\.weight|' +
  'stem\\.conv1?\\.weight|conv_proj\\.weight|features\\.(?:conv)?0\\.(?:0\\.)?weight|layer0\\.conv1\\.weight)'
const bare = new RegExp(`^${first}$`)
const behind = new RegExp(`^(.+?\\.)${first}$`)

/** A prefix that covers less than this share of the tensors is not taken for a network: a block may begin as a network does. */
const leastShare = 0.3

/** A network within a checkpoint. */
interface Unwrapped {
  readonly tensors: ReadonlyMap<string, Initializer>
  /** Names of the tensors beside it, such as a projection head's. */
  readonly beside: readonly string[]
  /** A choice that was made among networks, in a sentence. */
  readonly note?: string
}

/**
 * The network within what trains it: names without the prefix under which a wrapper keeps it, such as Lightning's `model.`,
 * SimCLR's and DINO's `backbone.`, MoCo's `module.encoder_q.`; all tensors where nothing is wrapped.
 *
 * @param label of the checkpoint in errors
 * @throws PipiloError `MODEL_INVALID` for several networks of other numbers, none of which is known to be the one
 */
export function unwrapped(tensors: ReadonlyMap<string, Initializer>, label: string): Unwrapped {
  const names = [...tensors.keys()]
  if (names.some((name) => bare.test(name))) return { tensors, beside: [] }
  const within = (prefix: string) =>
    new Map(
      [...tensors].flatMap(([name, tensor]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
      ),
    )
  const networks = [...new Set(names.flatMap((name) => behind.exec(name)?.[1] ?? []))]
    .sort((a, b) => a.length - b.length)
    // A block's prefix lies within that of its network.
    .filter((prefix, i, all) => !all.slice(0, i).some((outer) => prefix.startsWith(outer)))
    .map((prefix) => ({ prefix, tensors: within(prefix) }))
    .filter(({ tensors: own }) => own.size >= leastShare * names.length)
  const [first] = networks
  if (!first) return { tensors, beside: [] }
  const others = networks.filter((other) => other !== first && !areOne(first.tensors, other.tensors))
  const prefixes = [first, ...others].map(({ prefix }) => prefix)
  const known = others.length > 0 ? conventional(prefixes, names) : undefined
  if (others.length > 0 && !known) throw severalNetworks(label, prefixes)
  const chosen = networks.find(({ prefix }) => prefix === known?.name) ?? first
  return {
    tensors: chosen.tensors,
    beside: names.filter((name) => !name.startsWith(chosen.prefix)),
    ...(known && {
      note: chosenNote(
        known.name,
        known.method,
        prefixes.filter((prefix) => prefix !== known.name),
      ),
    }),
  }
}

/** True of the same numbers under two names, as where a module is an attribute of two others. */
function areOne(a: ReadonlyMap<string, Initializer>, b: ReadonlyMap<string, Initializer>): boolean {
  return (
    a.size === b.size &&
    [...a].every(([name, one]) => {
      const other = b.get(name)
      if (!other || !('file' in one) || !('file' in other)) return other === one
      return (
        one.file.path === other.file.path &&
        one.file.offset === other.file.offset &&
        `${one.shape}` === `${other.shape}`
      )
    })
  )
}
