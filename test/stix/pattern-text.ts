import {
  type ObjectPath,
  type PatternComparison,
  type PatternExpression,
  type PatternLiteral,
  type PatternQualifier,
} from '../../src/stix/pattern/pattern.ts'

const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

const literal = (value: PatternLiteral): string => {
  switch (value.kind) {
    case 'string':
      return quoted(value.value)
    case 'integer':
    case 'float':
      return value.text
    case 'boolean':
      return String(value.value)
    case 'timestamp':
      return `t'${value.value}'`
    case 'hex':
      return `h'${value.value}'`
    case 'binary':
      return `b'${value.value}'`
  }
}

const path = ({ type, steps }: ObjectPath): string => {
  const text = steps.map((step, index) => {
    if (step.kind === 'any') return '[*]'
    if (step.kind === 'index') return `[${step.index}]`
    const name = /^[a-z_][a-z0-9_]*$/i.test(step.name) ? step.name : quoted(step.name)
    return index === 0 ? name : `.${name}`
  })
  return `${type}:${text.join('')}`
}

/** Writes a pattern, with parentheses where the grammar needs them. `gap` gives what stands between tokens. */
export function patternText(pattern: PatternExpression, gap: () => string = () => ' '): string {
  const join = (...parts: readonly string[]) => parts.join(gap())
  const needed = (text: string, isNeeded: boolean) => (isNeeded ? join('(', text, ')') : text)

  const comparison = (part: PatternComparison, precedence = 0): string => {
    switch (part.kind) {
      case 'comparison': {
        const not = part.negated ? ['NOT'] : []
        return join(path(part.path), ...not, part.operator, literal(part.value))
      }
      case 'in': {
        const set = join('(', part.values.map(literal).join(','), ')')
        return join(path(part.path), ...(part.negated ? ['NOT'] : []), 'IN', set)
      }
      case 'exists':
        return join(...(part.negated ? ['NOT'] : []), 'EXISTS', path(part.path))
      case 'all':
        return needed(
          part.operands.map((each) => comparison(each, 2)).join(`${gap()}AND${gap()}`),
          precedence > 1,
        )
      case 'any':
        return needed(
          part.operands.map((each) => comparison(each, 1)).join(`${gap()}OR${gap()}`),
          precedence > 0,
        )
    }
  }

  const qualifier = (part: PatternQualifier): string => {
    if (part.kind === 'within') return join('WITHIN', String(part.seconds), 'SECONDS')
    if (part.kind === 'repeats') return join('REPEATS', String(part.times), 'TIMES')
    return join('START', `t'${part.start}'`, 'STOP', `t'${part.stop}'`)
  }

  const joiners = { 'followed-by': ['FOLLOWEDBY', 0], or: ['OR', 1], and: ['AND', 2] } as const

  const expression = (part: PatternExpression, precedence = -1): string => {
    switch (part.kind) {
      case 'observation':
        return join('[', comparison(part.comparison), ']')
      case 'qualified':
        return needed(join(expression(part.operand, 3), ...part.qualifiers.map(qualifier)), precedence > 3)
      default: {
        const [word, own] = joiners[part.kind]
        const text = part.operands.map((each) => expression(each, own)).join(`${gap()}${word}${gap()}`)
        return needed(text, precedence >= own)
      }
    }
  }
  return expression(pattern)
}

/** The same pattern without places, to compare by meaning. */
export function withoutPlaces(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, item: unknown) => (key === 'offset' ? undefined : item)))
}
