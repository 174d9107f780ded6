// Door of grad/: differentiation from graph to graph, and optimisers as nodes.
export { type GradOptions, grad } from './grad.ts'
export { BackwardCall, type Gradient, type GradientRule } from './rule.ts'
