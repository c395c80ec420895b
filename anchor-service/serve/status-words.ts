/** What the status page says, in English and in Chinese. */

export type Language = 'en' | 'zh';

/** Numbers and times are put in by the page. */
type Words = {
  readonly lang: string;
  readonly title: string;
  readonly otherLanguage: string;
  readonly states: Readonly<
    Record<'running' | 'trouble' | 'halted', readonly [short: string, long: string]>
  >;
  readonly waiting: string;
  readonly inNoWindow: (count: string) => string;
  readonly pendingWindows: (count: string) => string;
  readonly owedReceipts: (count: string) => string;
  readonly oldest: string;
  readonly none: string;
  readonly lastWindow: string;
  readonly windowOf: (seq: string, statements: string) => string;
  readonly block: (number: string) => string;
  readonly budget: string;
  readonly budgetUsed: (spent: string, limit: string) => string;
  readonly noBudget: string;
  readonly stamp: string;
  readonly beacon: string;
  readonly endpoints: string;
  readonly answers: string;
  readonly fails: (code: string) => string;
  readonly notAsked: string;
  readonly broker: string;
  readonly connected: string;
  readonly notConnected: string;
  readonly problems: string;
  /** Where nothing holds up a statement. */
  readonly warnings: string;
  readonly since: (time: string) => string;
  readonly ago: (age: string) => string;
  readonly published: string;
  readonly publishedCount: (count: string) => string;
  readonly kept: string;
  readonly keptFor: (days: string, pruned: string) => string;
  readonly forks: string;
  readonly forkCount: (count: string) => string;
  readonly localChain: string;
  readonly footer: (time: string) => string;
  readonly units: readonly [second: string, minute: string, hour: string, day: string];
};

export const WORDS: Readonly<Record<Language, Words>> = {
  en: {
    lang: 'en',
    title: 'Anchor service',
    otherLanguage: '中文',
    states: {
      running: ['Running', 'Statements are taken and anchored.'],
      trouble: [
        'Waiting',
        'Something is in the way. It is tried again by itself, and nothing is lost.',
      ],
      halted: [
        'Halted',
        'The service stopped itself. It takes and sends nothing more until a person has looked; a restart does not heal this.',
      ],
    },
    waiting: 'Waiting to be anchored',
    inNoWindow: (count) => `${counted(count, 'statement')} in no window yet`,
    pendingWindows: (count) => `${counted(count, 'window')} on the way to the chain`,
    owedReceipts: (count) => `${counted(count, 'receipt')} to be sent`,
    oldest: 'Oldest statement not anchored',
    none: 'none',
    lastWindow: 'Last final window',
    windowOf: (seq, statements) => `Window ${seq}, ${counted(statements, 'statement')}`,
    block: (number) => `block ${number}`,
    budget: 'Fees of today',
    budgetUsed: (spent, limit) => `${spent} of ${limit} ETH`,
    noBudget: 'no budget set',
    stamp: 'Newest time stamp',
    beacon: 'Newest beacon',
    endpoints: 'Chain endpoints',
    answers: 'answers',
    fails: (code) => `does not answer (${code})`,
    notAsked: 'not asked yet',
    broker: 'Broker',
    connected: 'connected',
    notConnected: 'not connected',
    problems: 'What is wrong',
    warnings: 'What needs a look',
    since: (time) => `since ${time}`,
    ago: (age) => `${age} ago`,
    published: 'Published windows',
    publishedCount: (count) => `${count}, for everybody to check`,
    kept: 'Statements are kept for',
    keptFor: (days, pruned) => `${counted(days, 'day')}; ${pruned} removed since the start`,
    forks: 'Forked logs',
    forkCount: (count) => `${counted(count, 'proof')} of two histories`,
    localChain:
      'This chain is local: whoever runs it can write its history anew. It proves nothing to a third party.',
    footer: (time) => `As of ${time}. This page renews itself; it is no evidence.`,
    units: ['s', 'min', 'h', 'd'],
  },
  zh: {
    lang: 'zh-Hans',
    title: '锚定服务',
    otherLanguage: 'English',
    states: {
      running: ['运行中', '正在接收并锚定声明。'],
      trouble: ['等待中', '遇到障碍，服务会自动重试，不会丢失任何数据。'],
      halted: [
        '已停止',
        '服务已自行停止，在人工检查之前不再接收或发送任何内容；重启不能解决问题。',
      ],
    },
    waiting: '等待锚定',
    inNoWindow: (count) => `${count} 条声明尚未进入窗口`,
    pendingWindows: (count) => `${count} 个窗口正在上链`,
    owedReceipts: (count) => `${count} 份回执待发送`,
    oldest: '最早的未锚定声明',
    none: '无',
    lastWindow: '最新的最终窗口',
    windowOf: (seq, statements) => `窗口 ${seq}，含 ${statements} 条声明`,
    block: (number) => `区块 ${number}`,
    budget: '今日手续费',
    budgetUsed: (spent, limit) => `${spent} / ${limit} ETH`,
    noBudget: '未设预算',
    stamp: '最新时间戳',
    beacon: '最新信标',
    endpoints: '链节点',
    answers: '有应答',
    fails: (code) => `无应答（${code}）`,
    notAsked: '尚未询问',
    broker: '消息代理',
    connected: '已连接',
    notConnected: '未连接',
    problems: '存在的问题',
    warnings: '需要留意',
    since: (time) => `自 ${time}`,
    ago: (age) => `${age}前`,
    published: '已公布窗口',
    publishedCount: (count) => `${count} 个，任何人都可核验`,
    kept: '声明保留期',
    keptFor: (days, pruned) => `${days} 天；启动以来已移除 ${pruned} 条`,
    forks: '分叉的日志',
    forkCount: (count) => `保存有 ${count} 份双重历史证明`,
    localChain: '此链为本地链：运行者可以重写全部历史，对第三方不具证明力。',
    footer: (time) => `截至 ${time}。本页自动刷新，不构成证据。`,
    units: ['秒', '分钟', '小时', '天'],
  },
};

function counted(count: string, thing: string): string {
  return `${count} ${thing}${count === '1' ? '' : 's'}`;
}

/** Codes of problems and halts in plain words; for others the page shows the sentence of the log. */
const PLAIN: Readonly<Record<string, readonly [en: string, zh: string]>> = {
  RPC_UNREACHABLE: ['A chain endpoint does not answer.', '链节点无应答。'],
  RPC_MALFORMED: ['A chain endpoint answers nonsense.', '链节点的应答无法识别。'],
  RPC_REFUSED: ['A chain endpoint refuses a call.', '链节点拒绝了请求。'],
  QUORUM_MISSING: [
    'Too few chain endpoints answer to agree on a block.',
    '应答的链节点不足，无法就区块达成一致。',
  ],
  CHAIN_DISAGREEMENT: [
    'Chain endpoints call different blocks final: one of them is wrong.',
    '链节点对最终区块的说法不一致，其中必有一个是错的。',
  ],
  FINALITY_REVERSED: [
    'A block that was final is gone from the chain.',
    '已经最终确认的区块从链上消失了。',
  ],
  CONTRACT_GONE: ['The contract is no longer on the chain.', '链上已找不到合约。'],
  ANCHOR_CONFLICT: [
    'Another record is anchored in the place of one of ours.',
    '我们的位置上锚定了另一份记录。',
  ],
  ANCHOR_PROOF_MISMATCH: [
    'The chain says a window is anchored, and its state does not show it.',
    '链称窗口已锚定，但状态证明与之不符。',
  ],
  BROKER_UNREACHABLE: [
    'The broker does not answer, so receipts wait.',
    '消息代理无应答，回执在等待发送。',
  ],
  PUBLISH_UNWRITABLE: [
    'Published windows cannot be written to their folder.',
    '无法写入已公布窗口的文件夹。',
  ],
  LOCAL_CHAIN_ENDED: ['The local chain ended.', '本地链已退出。'],
  STAMP_UNAVAILABLE: [
    'No time stamp authority gives a stamp that holds. Statements are anchored all the same.',
    '没有时间戳机构给出有效的时间戳。声明照常锚定。',
  ],
  DISK_FULL: [
    'The disk is full: nothing is acknowledged until there is room.',
    '磁盘已满：在有空间之前不会确认任何内容。',
  ],
  FEE_CAP_REACHED: [
    'The market asks more than the highest fee that may be offered: windows wait.',
    '市场手续费高于允许的上限，窗口在等待。',
  ],
  TRANSACTION_NOT_TAKEN: [
    'No chain endpoint takes the transaction: it is sent again.',
    '没有链节点接受该交易，将再次发送。',
  ],
  FEE_BUDGET_REACHED: [
    'The fee budget of the day is used up: windows stay open longer.',
    '今日手续费预算已用完，窗口将延长开放。',
  ],
  INSUFFICIENT_FUNDS: [
    'The sender has too little money for a transaction.',
    '发送账户余额不足，无法支付交易费用。',
  ],
};

/** @param message the sentence of the log, for codes that have no words here */
export function inPlainWords(code: string, message: string, language: Language): string {
  const words = PLAIN[code];
  if (words === undefined) return message;
  return language === 'en' ? words[0] : words[1];
}
