// Parts of schemas that every interface's requests are made of.
import * as z from 'zod'
import { closest } from '../../base/index.ts'

/** An object with these fields alone: a name that is written wrong would else be ignored, and the answer be another than was asked for. */
export const fields = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? unknownField(issue.keys[0]!, Object.keys(shape)) : undefined,
  })

function unknownField(name: string, known: readonly string[]): string {
  const near = closest(name, known)
  return `There is no field ${JSON.stringify(name.slice(0, 80))}. ${
    near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `There are: ${known.join(', ')}.`
  }`
}

/** A list, for which one entry stands too. */
export const oneOrMore = <Item extends z.ZodType>(item: Item, limit?: string) =>
  z
    .union([limit === undefined ? z.array(item) : z.array(item).meta({ limit }), item])
    .transform((given) => (Array.isArray(given) ? given : [given]) as z.output<Item>[])

/** A file of a form. */
export const file = z.object({ name: z.string(), bytes: z.instanceof(Uint8Array) })

/** A sentence on what a request has wrong, and in which field. */
export function complaintOf({ issues }: z.ZodError): { field: string; message: string } {
  const { path, message } = deepest(issues[0]!)
  return { field: path.map(String).join('.'), message }
}

/** Of a value that fits one form of several but for a field that this does not have, that field is the fault. */
function deepest(issue: z.core.$ZodIssue): Pick<z.core.$ZodIssue, 'path' | 'message'> {
  const { path } = issue
  if (issue.code === 'unrecognized_keys') return { ...issue, path: [...path, issue.keys[0]!] }
  if (issue.code !== 'invalid_union') return issue
  for (const option of issue.errors) {
    if (option.length === 0) continue
    const found = option.map(deepest)
    if (option.every(isOfField)) return { ...found[0]!, path: [...path, ...found[0]!.path] }
  }
  return issue
}

const isOfField = (issue: z.core.$ZodIssue): boolean =>
  issue.code === 'unrecognized_keys' ||
  (issue.code === 'invalid_union' &&
    issue.errors.some((option) => option.length > 0 && option.every(isOfField)))
