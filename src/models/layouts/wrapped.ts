// Finds the network within the checkpoint of a wrapper, such as Lightning's or DINO's.
import type { Initializer } from '../../graph/index.ts'

/** The tensors with which networks for pictures begin, by the names of timm and torchvision. */
const first =
  '(?:cls_token|pos_embed|patch_embed\\.proj\\.weight|conv1\\.(?:0\\.)?weight|conv_stem\\.weight|stem[._]0\\.weight|' +
  'stem\\.conv1?\\.weight|conv_proj\\.weight|features\\.(?:conv)?0\\.(?:0\\.)?weight|layer0\\.conv1\\.weight)'
const bare = new RegExp(`^${first}$`)
const behind = new RegExp(`^(.+?\\.)${first}$`)

/** Names of the less wanted part where a checkpoint holds two networks: a student beside its teacher, a momentum copy. */
const aside = /(?:student|target|momentum|encoder_k)/

/** A prefix that covers less than this share of the tensors is not taken for the network. */
const leastShare = 0.3

/**
 * The network within what trains it: names without the prefix under which a wrapper keeps it, such as Lightning's `model.`,
 * SimCLR's and DINO's `backbone.`, MoCo's `module.encoder_q.`.
 *
 * @returns its tensors, and the names of those beside it, such as a projection head's; all tensors where nothing is wrapped
 */
export function unwrapped(tensors: ReadonlyMap<string, Initializer>): {
  readonly tensors: ReadonlyMap<string, Initializer>
  readonly beside: readonly string[]
} {
  const names = [...tensors.keys()]
  if (names.some((name) => bare.test(name))) return { tensors, beside: [] }
  const isBehind = (prefix: string) => (name: string) => name.startsWith(prefix)
  const [prefix] = [...new Set(names.flatMap((name) => behind.exec(name)?.[1] ?? []))]
    .filter((candidate) => names.filter(isBehind(candidate)).length >= leastShare * names.length)
    .sort((a, b) => Number(aside.test(a)) - Number(aside.test(b)) || a.length - b.length)
  if (prefix === undefined) return { tensors, beside: [] }
  return {
    tensors: new Map(
      [...tensors].flatMap(([name, tensor]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
      ),
    ),
    beside: names.filter((name) => !name.startsWith(prefix)),
  }
}
