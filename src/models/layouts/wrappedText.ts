// Finds the text network within the checkpoint of a wrapper, such as Lightning's.
import type { Initializer } from '../../graph/index.ts'

/** The table of words with which text networks begin, by transformers' names, behind a prefix. */
const words = /^(.*?)(?:embeddings\.(?:word|tok)_embeddings|embed_tokens)\.weight$/

/**
 * The tensors under the names of the bare network: without the prefix before its table of words (`model.bert.`, `encoder.`), where
 * there is one such table. Names of tensors beside it, such as a head's, stay as they are.
 */
export function unwrappedText(tensors: ReadonlyMap<string, Initializer>): ReadonlyMap<string, Initializer> {
  const [prefix, ...others] = new Set([...tensors.keys()].flatMap((name) => words.exec(name)?.[1] ?? []))
  if (!prefix || others.length > 0) return tensors
  const renamed = new Map(
    [...tensors].map(([name, tensor]) => [
      name.startsWith(prefix) ? name.slice(prefix.length) : name,
      tensor,
    ]),
  )
  return renamed.size === tensors.size ? renamed : tensors
}
