/** Groups of weights: the rule and the scalars that a weight's name gives it. */
import { closest, PipiloError } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'
import { complete, type OptimizeOptions, type Optimizer, type WeightGroup } from './options.ts'
import { type Moment, type Rule, ruleOf, sparseAdam } from './rules.ts'
import type { Trained } from './trained.ts'

/** The way in which a weight is changed. */
export interface Course {
  readonly rule: Rule
  /** Numbers that the rule's formula needs, in the weight's dtype. */
  readonly scalars: readonly Value[]
}

/** The course of each weight; weights of one group share the nodes of their scalars. @throws `OPTION_INVALID` */
export function coursesOf(
  trained: readonly Trained[],
  options: OptimizeOptions,
  moment: Moment,
): readonly Course[] {
  const { groups = [] } = options
  const optimizer = complete(options.optimizer)
  const places = groupsOf(
    groups,
    trained.map(({ name }) => name),
  )
  const known = new Map<string, Course>()
  return trained.map(({ name, tensor: { dtype }, indices }) => {
    const place = places.get(name)
    const key = `${place} ${dtype} ${indices !== undefined}`
    const course = known.get(key)
    if (course) return course
    const { weightDecay = optimizer.weightDecay, lrScale = 1 } = groups[place ?? -1] ?? {}
    const rule =
      indices === undefined ? ruleOf(optimizer, weightDecay) : sparseRule(optimizer, weightDecay, name)
    const rate = lrScale === 1 ? moment.rate : op.mul(moment.rate, lrScale)
    const scalars = rule.scalars({ ...moment, rate }).map((scalar) => op.cast(scalar, dtype))
    known.set(key, { rule, scalars })
    return { rule, scalars }
  })
}

function sparseRule(optimizer: Required<Optimizer>, weightDecay: number, name: string): Rule {
  if ('betas' in optimizer && weightDecay === 0 && !optimizer.amsgrad) return sparseAdam(optimizer)
  throw new PipiloError(
    'OPTION_INVALID',
    `The rows of ${name} are changed by SparseAdam's rule, which is for adam and adamw without weightDecay and amsgrad.`,
    { input: name, hint: 'Give the table a group with weightDecay: 0, or train it whole.' },
  )
}

/** The place of the first group that matches, for each name that one does. @throws `OPTION_INVALID` for a group without a name */
function groupsOf(groups: readonly WeightGroup[], names: readonly string[]): ReadonlyMap<string, number> {
  for (const [index, { names: pattern }] of groups.entries()) {
    if (names.some((name) => matches(pattern, name))) continue
    const near = closest(pattern.source.replaceAll(/\\(.)/g, '$1').replaceAll(/[\^$]/g, ''), names)
    throw new PipiloError(
      'OPTION_INVALID',
      `groups[${index}].names, ${pattern}, matches no trained weight.`,
      {
        input: `groups[${index}].names`,
        hint:
          near.length > 0
            ? `The closest names are ${near.join(', ')}.`
            : `There are ${names.slice(0, 5).join(', ')}.`,
      },
    )
  }
  return new Map(
    names.flatMap((name) => {
      const index = groups.findIndex(({ names: pattern }) => matches(pattern, name))
      return index < 0 ? [] : [[name, index] as const]
    }),
  )
}

function matches(pattern: RegExp, name: string): boolean {
  // A pattern with the flag g or y goes on from where it ended; search does not.
  return name.search(pattern) >= 0
}
