/** SimCLR: two views of each picture attract each other (https://arxiv.org/abs/2002.05709). */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import { simClrHead } from '../../nn/index.ts'
import type { Objective } from '../objective.ts'
import { ntXent } from '../objectives/ntXent.ts'

const simClrTypes: OptionTable<SimClrOptions> = {
  temperature: is.numeric(0),
  hidden: is.count(1),
  out: is.count(1),
}

/** Options of {@link simClr}. */
export interface SimClrOptions {
  /** Default 0.5. */
  readonly temperature?: number
  /** Features of the projection head: between its layers (default: the embedding's), and of what is compared (default 128). */
  readonly hidden?: number
  readonly out?: number
}

/**
 * NT-Xent between two views of each picture, behind a projection head that is thrown away afterwards: the embedding is what stands before
 * it.
 *
 * @example
 * ```ts
 * await train({ network: freshNetwork('resnet18', { size: [64, 64] }), objective: simClr(), augment: simClrAugmentation(64), data })
 * ```
 *
 * @remarks The data has the column `image`.
 */
export function simClr(given: SimClrOptions = {}): Objective {
  checkOptions('simClr', given, simClrTypes)
  const { temperature = 0.5, ...head } = given
  return {
    name: 'simclr',
    views: 2,
    leastBatch: 2,
    build(scope) {
      const [first, second] = [0, 1].map((view) => {
        const embedding = scope.embed({ pixel_values: scope.pixels(view) })
        return simClrHead(scope.parameters, 'projection_head', embedding, head)
      })
      return { loss: ntXent(first!, second!, { temperature }) }
    },
  }
}
