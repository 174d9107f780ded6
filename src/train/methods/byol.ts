/** BYOL: a network predicts what its own moving average makes of another view (https://arxiv.org/abs/2006.07733). */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'
import { byolHead } from '../../nn/index.ts'
import type { Objective, TeacherOptions } from '../objective.ts'
import { negativeCosineSimilarity } from '../objectives/negativeCosineSimilarity.ts'
import { teacherType } from './teacherType.ts'

const byolTypes: OptionTable<ByolOptions> = {
  hidden: is.count(1),
  out: is.count(1),
  teacher: teacherType,
}

/** Options of {@link byol}. */
export interface ByolOptions {
  /** Features between the heads' layers. Default 1024. */
  readonly hidden?: number
  /** Features that are compared. Default 256. */
  readonly out?: number
  /** Default: from 0.996 to 1 by a cosine. */
  readonly teacher?: TeacherOptions
}

/**
 * The negative cosine between a prediction from one view and the teacher's projection of the other, both ways.
 *
 * @example
 * ```ts
 * await train({ network: freshNetwork('resnet18', { size: [64, 64] }), objective: byol(), augment: byolAugmentation(64), data })
 * ```
 *
 * @remarks The data has the column `image`. The embedding is what stands before the projection head.
 */
export function byol(options: ByolOptions = {}): Objective {
  checkOptions('byol', options, byolTypes)
  const { hidden = 1024, out = 256, teacher = { momentum: 0.996, finalMomentum: 1 } } = options
  return {
    name: 'byol',
    views: 2,
    leastBatch: 2,
    teacher,
    build(scope) {
      const project = (view: number): Value => {
        const embedding = scope.embed({ pixel_values: scope.pixels(view) })
        return byolHead(scope.parameters, 'projection_head', embedding, { hidden, out })
      }
      const predict = (view: number) =>
        byolHead(scope.parameters, 'prediction_head', project(view), { hidden, out })
      const [p0, p1] = [predict(0), predict(1)]
      const [z0, z1] = scope.teacher(() => [project(0), project(1)])
      return {
        loss: op.mul(op.add(negativeCosineSimilarity(p0, z1!), negativeCosineSimilarity(p1, z0!)), 0.5),
      }
    },
  }
}
