/** Type of the option `teacher` of methods that learn from a moving average. */
import { is, type OptionType } from '../../base/index.ts'
import type { TeacherOptions } from '../objective.ts'

export const teacherType: OptionType = is.parts<TeacherOptions>({
  momentum: is.numeric(0, 1),
  finalMomentum: is.numeric(0, 1),
  schedule: is.oneOf(['cosine', 'linear']),
  steps: is.count(1),
  mode: is.oneOf(['training', 'inference']),
})
