// Biome formats and lints. ESLint is here only for the rules that need types.

import tseslint from 'typescript-eslint';

const typed = [
  'await-thenable',
  'no-floating-promises',
  'no-misused-promises',
  'no-unnecessary-condition',
  'no-unsafe-argument',
  'no-unsafe-assignment',
  'only-throw-error',
  'prefer-readonly',
  'require-await',
  'restrict-template-expressions',
  'strict-boolean-expressions',
  'switch-exhaustiveness-check',
];

export default [
  { ignores: ['**/node_modules/**', '**/dist/**', '**/demo-out/**', 'contracts/out/**'] },
  {
    files: ['**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      ...Object.fromEntries(typed.map((name) => [`@typescript-eslint/${name}`, 'error'])),
      // Template strings of numbers and bigints are how most sentences here are built.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/return-await': ['error', 'always'],
      // Not Biome's useErrorCause, which misses the cause of our errors: (code, sentence, { cause }).
      'preserve-caught-error': 'error',
    },
  },
  {
    files: ['core/**/*.ts'],
    rules: {
      // Biome denies the other impure globals (biome.json, "core/**"); a property it cannot name.
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'core has no randomness' },
      ],
    },
  },
];
