#include "lexicon.h"

/* The house's own lists, made for feedback of shops, services and apps. The longest phrase that fits at a place wins, so a
 * longer one under SIGN_NOTHING shields from a shorter one. Add freely; a phrase may speak for up to three signs. */
const struct phrase phrases[] = {
	/* ---- type ---- */
	{ SIGN_BUG, 2,
		"闪退|当机|无法登入|登入不了|不能登入|老是崩|一直崩|就崩了|崩溃了|app崩|程序崩|报错|打不开|点不开|"
		"点不动|点了没反应|点击没反应|没有反应|无响应|未响应|卡死|死机|黑屏|白屏|花屏|蓝屏|乱码|加载不出来|"
		"加载失败|刷不出来|显示不出来|无法加载|一直转圈|一直加载|登不上|登录不上|登陆不上|登录不了|"
		"登陆不了|无法登录|无法登陆|进不去|无法打开|无法使用|不能用了|用不了|没法用|无法提交|提交失败|"
		"提交不了|上传失败|上传不了|下载失败|保存失败|保存不了|同步失败|同步不了|支付失败|付款失败|"
		"付不了款|发送失败|连接失败|连不上|收不到验证码|验证码收不到|自动退出|自动关闭|自动重启|出错|"
		"出现错误|提示错误|错误代码|系统错误|网络异常|程序异常|显示异常|数据丢失|记录没了|有bug|个bug|"
		"bug太多|很多bug|不显示|按钮失灵|失灵了|失效了|没有声音了|收不到推送|收不到通知|通知不弹" },
	{ SIGN_BUG, 1,
		"bug*|崩溃|异常|错误|失败|卡住|故障|重复扣|闪屏|漏洞|不起作用|没效果了|更新后|升级后|更新之后|"
		"升级之后" },
	{ SIGN_BUG, 2,
		"crash|crashes|crashed|crashing|keeps closing|force close*|force-close*|stopped working|"
		"stops working|doesn't work|does not work|doesnt work|not working|won't work|wont work|won't load|"
		"won't open|wont open|wont load|doesn't load|doesn't open|can't open|cannot open|can't load|"
		"fails to|failed to load|failed to|not loading|not responding|unresponsive|error message|"
		"error code|an error|throws|throwing|stack trace|stacktrace|traceback|exception|segfault*|"
		"segmentation fault|null pointer|nullpointerexception|blank screen|black screen|white screen|"
		"freezes|freezing|frozen|keeps freezing|keeps crashing|keeps logging me out|logs me out|glitch*|"
		"buggy|doesn't sync|not syncing|won't sync|can't upload|won't save|doesn't save|not saving|"
		"steps to reproduce|expected behavior|actual behavior|can't log in|can't login|cannot log in|"
		"cannot login|unable to log in|unable to login|unable to open" },
	{ SIGN_BUG, 1,
		"error*|broken|regression|incorrect|wrong result|unexpected|since the update|after the update|"
		"since the last update|after updating|latest version|hangs|stuck|fails|failing|malfunction*|issue" },
	{ SIGN_NOTHING, 0,
		"不再闪退|没有闪退|从不闪退|不再报错|no longer crash*|never crash*|doesn't crash|does not crash|"
		"no bugs|not a bug|没有bug|没bug|贵公司|贵司|贵店|贵方|贵平台|贵宾|贵阳|贵州|no errors|bug free|"
		"没有任何问题|没问题|没有问题|no problem|no problems|no issues|happy to help|不好意思问|请问题|"
		"价格公道|物流公司|客服小|not expensive|不贵|也不贵|还不贵|hot line|at your service|self service|"
		"in-app purchase|不差|差不多|一点不差|free of charge|in charge|issue resolved|问题解决了|"
		"没有让我失望|不失望|没有失望|不会失望|不慢|一点都不慢|并不慢|no complaints|can't complain|"
		"cannot complain|没话说|没得说|没毛病|不后悔|don't regret|never disappoint*|not disappointed|"
		"won't be disappointed" },
	{ SIGN_FEATURE, 2,
		"希望能|希望可以|希望增加|希望添加|希望加|希望加入|希望支持|希望新增|希望推出|希望开发|希望后续|"
		"希望以后|希望出一个|希望有个|希望有一个|希望早日|希望尽快支持|建议增加|建议添加|建议加|建议加入|"
		"建议新增|建议支持|建议优化|建议改进|建议改成|建议提供|建议出|建议开发|建议做|建议把|建议在|建议能|"
		"建议可以|能不能加|能不能增加|能不能支持|能不能出|能不能做个|能不能提供|能否增加|能否添加|能否支持|"
		"能否加|可不可以加|可不可以增加|可不可以支持|可以增加|可以加个|可以加一个|可以添加|求增加|求加|"
		"求支持|求添加|求出|加一个|加个|增加一个|增加个|增加一下|添加一个|添加个|新增一个|要是能|要是可以|"
		"要是有|如果能|如果可以|如果有|要能|最好能|最好可以|最好有|最好加|期待增加|期待支持|期待能|"
		"期待加入|什么时候支持|什么时候能支持|什么时候出|啥时候支持|就更好了|就完美了|就更完美|就太好了|"
		"就方便了|就更方便|提个建议|提个小建议|一点建议|小建议|功能建议|缺少一个|缺个|少了个|没有导出|"
		"支持一下" },
	{ SIGN_FEATURE, 1, "希望|建议|期待|想要一个|需要一个|可以考虑|考虑增加|应该有|应该加|应该增加|应该支持|改进" },
	{ SIGN_FEATURE, 2,
		"feature request*|would be great if|would be nice if|would be good if|would be awesome if|"
		"would be better if|would be helpful if|would be useful if|would be cool if|would be great to|"
		"would be nice to|would be good to|would be useful to|would be helpful to|would be perfect if|"
		"would love to see|would love it if|would love to have|would love a|would love an|"
		"would like to see|would like to have|i'd love to see|i'd love a|i'd like to see|i'd like a|"
		"i would like a|it'd be great|it'd be nice|please add|pls add|plz add|please include|"
		"please support|please implement|please make it possible|please consider|please bring back|"
		"bring back|add support|add an option|add the option|add the ability|add a|add an|could you add|"
		"can you add|can we get|can we have|could we have|could you please add|can you please add|needs a|"
		"needs an|needs to have|need an option|need a way|need the ability|should have a|should have an|"
		"should be able to|should support|should allow|should be an option|ability to|option to|"
		"an option for|allow us to|allow users to|let us|let me choose|support for|i wish|wish there|"
		"wish it|wish you|wish i could|only thing missing|missing feature|missing is|lacks a|lacks an|"
		"is there any plan|any plans to|are there plans|proposal|suggestion|i suggest|i'd suggest|"
		"my suggestion|enhancement|hope you add|hope you can add|hoping for|if only|would give 0 stars if|"
		"will give 0 stars if|0 stars if" },
	{ SIGN_FEATURE, 1,
		"feature*|improvement*|would be|implement*|please|hope|consider adding|missing|integrate|"
		"integration" },
	{ SIGN_QUESTION, 2,
		"请问|想问|问一下|问下|咨询一下|怎么办理|怎么申请|怎么设置|怎么使用|怎么修改|怎么取消|怎么才能|"
		"怎么查|怎么联系|怎么开通|怎么开|怎么关闭|怎么换|怎么改|怎么退|怎么绑定|如何|怎样才|什么时候能|"
		"什么时候发货|什么时候到|什么时候可以|什么时候上|何时|多久能|多久到|多久可以|要多久|需要多久|"
		"在哪里|在哪儿|在哪|哪里可以|哪里能|哪里看|是不是要|是否可以|是否支持|是否需要|可以吗|能吗|行吗|"
		"可不可以|能不能|是吗|对吗|有没有|怎么回事啊请|求助|有谁知道|谁知道|有人知道|哪位知道|请教|多少钱" },
	{ SIGN_QUESTION, 1,
		"怎么|什么时候|为什么|为啥|是什么|啥时候|吗|呢|哪个|哪种|哪些|多少|几天|几号|是否|能否|求解|区别|?" },
	{ SIGN_QUESTION, 2,
		"how do i|how can i|how to|how do you|how does|how long|how much|how many|how would i|how should i|"
		"when will|when is|when does|when can i|where is|where can i|where do i|where's|what is the|"
		"what are the|what's the|what does|what do i|which one|is there a way|is there any way|"
		"is it possible|can i|could i|may i|can you tell me|could you tell me|do you have|do you offer|"
		"do you support|does this|does it|is this|do i need|do i have to|are there any|i have a question|"
		"quick question|question|wondering if|i was wondering|i wonder|i'd like to know|i want to know|"
		"anyone know*|does anyone|can someone|can somebody|any idea|please advise|what should i|"
		"who do i contact|who can i|am i able to" },
	{ SIGN_QUESTION, 1, "why|what|when|where|which|who|how|can you|could you|would you|do you|are you|will you" },
	{ SIGN_COMPLAINT, 2,
		"太差|很差|极差|差劲|垃圾|差评|投诉|骗人|坑人|坑爹|黑心|恶心|失望|气死|无语|烂透|太烂|很烂|后悔|"
		"上当|受骗|欺骗|欺诈|虚假宣传|不靠谱|不负责任|推卸责任|推诿|踢皮球|态度恶劣|没人管|没人理|不理人|"
		"不回复|再也不|不会再买|不会再来|忍无可忍|什么玩意|什么破|破烂|敷衍|糊弄|离谱|太慢|好慢|慢死|"
		"慢得要死|太过分|过分|霸王条款|不处理|没解决|不解决|解决不了|一直拖|拖着不" },
	{ SIGN_COMPLAINT, 1,
		"差|慢|糟糕|难吃|难用|不好|不行|不满意|很不满|不推荐|问题|坏了|不值|太贵|郁闷|生气|愤怒|受不了|"
		"麻烦|等了" },
	{ SIGN_COMPLAINT, 2,
		"terrible|horrible|awful|worst|disgusting|useless|garbage|rubbish|trash|scam|rip off|ripoff|"
		"rip-off|pathetic|ridiculous|unacceptable|disgrace*|appalling|disappointed|disappointing|"
		"disappointment|frustrating|frustrated|fed up|sick of|waste of money|waste of time|never again|"
		"never buy|never order|do not buy|don't buy|stay away|avoid|poor service|bad service|"
		"no one answers|nobody answers|no response|no reply|still waiting|still haven't|still not|ignored|"
		"misleading|false advertising|overpriced|rude|unprofessional|complaint|angry|outrageous|sucks|hate" },
	{ SIGN_COMPLAINT, 1,
		"bad|poor|slow|late|annoying|annoyed|problem*|unhappy|wrong|unfortunately|waited|waiting|lost|"
		"damaged|not happy|regret" },
	{ SIGN_PRAISE, 2,
		"非常满意|很满意|挺满意|满意|好评|五星|点赞|赞一个|给个赞|太棒|很棒|真棒|超棒|棒棒|完美|非常好|"
		"很好用|好用|超好|太好了|很喜欢|非常喜欢|超喜欢|太喜欢|爱了|推荐给|强烈推荐|值得推荐|值得购买|"
		"物超所值|物美价廉|性价比高|性价比很高|良心|贴心|感谢|谢谢你们|多谢|辛苦了|给力|靠谱|惊喜|一如既往|"
		"回购|会再来|还会买|下次还|真香|表扬|继续加油|不错" },
	{ SIGN_PRAISE, 1, "满分|谢谢|喜欢|方便|赞|棒|优秀|好吃|美味|热情|很快|神速|及时|流畅|舒服|正品" },
	{ SIGN_PRAISE, 2,
		"love it|love this|love the|loving|excellent|amazing|awesome|fantastic|wonderful|perfect|brilliant|"
		"outstanding|superb|great job|great service|great app|great product|good job|well done|keep it up|"
		"keep up the good work|highly recommend|would recommend|recommended|best app|the best|very happy|"
		"so happy|really happy|very pleased|very satisfied|satisfied|impressed|works great|works perfectly|"
		"works well|exceeded|thank you so much|thanks so much|many thanks|kudos|0 stars|five stars|"
		"flawless|delighted" },
	{ SIGN_PRAISE, 1,
		"thanks|thank you|great|good|nice|love|happy|helpful|friendly|easy to use|quick|fast|smooth|"
		"recommend|enjoy*|best" },

	{ SIGN_PRAISE, 2, "👍|❤|😍|😊|🎉|😀|😁|😄|🥰|💯|👏|🌹|💪|😘|☺|🙂" },
	{ SIGN_COMPLAINT, 2,
		"👎|😡|🤬|💩|😠|😭|🙄|😤|💔|😞|😒|🤮|for nothing|letdown|let down|robbery|a "
		"joke|joke "
		"of|"
		"too expensive|failure" },

	/* ---- topic ---- */
	{ SIGN_DELIVERY, 2,
		"快递|物流|配送|送货|发货|到货|送达|外卖员|骑手|送餐|派送|派件|包裹|收货|运输|运费|签收|驿站|丢件|"
		"送错|送到|漏发|错发|发错货|送得|催单|没收到货|还没到|迟迟不到|快递员|配送员|送外卖" },
	{ SIGN_DELIVERY, 1, "送来|寄来|寄到|速度很快|超时|取件|揽收|仓库|晚到|迟到" },
	{ SIGN_DELIVERY, 2,
		"deliver|delivery|delivered|deliveries|delivering|shipping|shipped|shipment*|ship|courier*|parcel*|"
		"package|packages|tracking|tracking number|in transit|out for delivery|dispatched|never arrived|"
		"hasn't arrived|not arrived|arrived late|driver|customs|doorstep|lost luggage|postman|mailman|"
		"fedex|ups|dhl|usps" },
	{ SIGN_DELIVERY, 1,
		"arrive|arrived|arrives|arrival|still waiting for|express|eta|carrier|delay*|flight delayed|"
		"delayed flight|cancelled flight*|luggage|baggage|flight*|lost my bag*|my bag|my bags|on time" },
	{ SIGN_QUALITY, 2,
		"质量|做工|材质|用料|质感|掉色|褪色|起球|开线|裂开|裂了|断了|破了|坏了|坏的|破损|瑕疵|次品|残次|"
		"假货|正品|山寨|仿品|异味|有味道|难闻|发霉|过期|变质|不新鲜|新鲜|好吃|难吃|味道|口感|口味|太咸|"
		"太辣|太油|分量|份量|包装|漏液|尺码|尺寸|偏大|偏小|色差|做工粗糙|不耐用|耐用|面料|布料|掉毛|开胶|"
		"缺角|缺页|印刷|纸质|油耗|隔音|内饰|外观|动力|刹车|过敏|烂了|坏果|不甜|漏水|续航|发热" },
	{ SIGN_QUALITY, 2,
		"quality|defective|defect*|faulty|damaged|broke|broken after|fell apart|falls apart|falling apart|"
		"worn out|flimsy|cheaply made|cheap material|poorly made|well made|material*|fabric|stitching|"
		"sturdy|durable|scratched|scratches|cracked|dented|torn|counterfeit|fake|not as described|"
		"wrong size|too small|too big|doesn't fit|color faded|faded|leaks|leaking|taste|tastes|tasted|"
		"stale|rotten|expired|moldy|packaging|battery dies|stopped charging|texture|smells|ingredients" },
	{ SIGN_QUALITY, 1, "size|fit|colour|color|fresh|flavor|smell|cold food|soggy|build" },
	{ SIGN_PRICE, 2,
		"价格|价钱|太贵|好贵|很贵|有点贵|偏贵|真贵|便宜|性价比|涨价|降价|划算|优惠|打折|折扣|优惠券|满减|"
		"促销|活动价|贵了|买贵|保价|价保|原价|差价|实惠|物有所值|不值这个价|定价|报价|红包|抢券|会员价|"
		"杀熟|先涨后降|物美价廉|物超所值" },
	{ SIGN_PRICE, 1, "贵|值得|不值|钱包|双十一|双00" },
	{ SIGN_PRICE, 2,
		"price|prices|priced|pricing|pricey|expensive|overpriced|cheap|cheaper|cheapest|affordable|"
		"cost too much|costs too much|too costly|discount*|coupon*|promo|promo code|promotion*|"
		"price increase|price hike|raised the price|raised your prices|worth the money|value for money|"
		"good value|great value|not worth|bargain|price match|subscription price|sale price" },
	{ SIGN_PRICE, 1, "cost|costs|worth|deal|deals|budget|sale|0 dollars" },
	{ SIGN_BILLING, 2,
		"扣款|扣费|扣钱|多扣|乱扣|重复扣款|重复扣费|扣了两次|扣了0次|自动续费|自动扣|续费|账单|发票|开票|"
		"收费|乱收费|支付|付款|付钱|付费|转账|到账|没到账|未到账|余额|充值|提现|银行卡|信用卡|微信支付|"
		"支付宝|手续费|月租|话费|流量费|押金|多收|会员费|分期|对账|税号|抬头" },
	{ SIGN_BILLING, 2,
		"bill|bills|billed|billing|invoice|invoices|charge|charged|charges|charging me|charged twice|"
		"double charged|overcharged|payment|payments|pay|paid|paying|debit|debited|credit card|debit card|"
		"card declined|declined|transaction*|top up|top-up|transfer|bank|fee|fees|auto renew*|auto-renew*|"
		"autopay|direct debit|balance|withdrawal|statement|receipt|paypal|subscription renewed|renewal" },
	{ SIGN_BILLING, 1, "subscription|card|money|cash|credited|exchange rate" },
	{ SIGN_ACCOUNT, 2,
		"登入|账号|账户|帐号|帐户|密码|登录|登陆|登不上|登录不上|注册|注销|实名|认证|验证码|手机号|绑定|"
		"解绑|换绑|封号|封禁|冻结|被盗|盗号|找回|人脸|身份证|昵称|头像|个人信息|隐私|权限|二次验证|"
		"异地登录|会员等级|积分" },
	{ SIGN_ACCOUNT, 2,
		"account|accounts|password|passcode|log in|login|logged out|log out|sign in|signin|sign up|signup|"
		"sign-in|username|user name|verify my identity|verification code|verification|verify|0fa|"
		"two factor|two-factor|authenticator|locked out|suspended|banned|deactivate*|delete my account|"
		"close my account|reset link|profile|email address|my email|phone number|hacked|personal data|"
		"privacy|pin|identity" },
	{ SIGN_SERVICE, 2,
		"客服|服务态度|态度|售后|服务员|服务|店员|工作人员|人工|在线客服|热线|回复|没人接|打不通电话|"
		"不接电话|接电话|答复|解答|店家|商家|卖家|前台|接待|上门|师傅|安装师傅|经理|导购|柜台|业务员" },
	{ SIGN_SERVICE, 2,
		"customer service|customer support|customer care|support team|tech support|support agent|agent|"
		"agents|representative*|staff|employee*|cashier|waiter|waitress|manager|rude|polite|courteous|"
		"unhelpful|on hold|hung up|call center|call centre|hotline|live chat|chat bot|chatbot|answered my|"
		"replied to|response time|no one answers|nobody answers|hold time*|hour hold|minute hold|min hold|"
		"answer the phone|answers the phone|answer my call*|answer our call*|pick up the phone|"
		"picked up the phone|hang up on|hangs up|rep|reps|never got back|get back to me|got back to me|"
		"attitude|attendant|service desk|help desk|helpdesk" },
	{ SIGN_SERVICE, 1, "service|support|helpful|reply|respond*|friendly|contacted|phone call|emailed" },
	{ SIGN_ORDER_REFUND, 2,
		"退款|退货|退钱|退换|换货|退单|退了|取消订单|订单|下单|退费|仅退款|退不了|不给退|不退|拒绝退|补发|"
		"赔偿|赔付|理赔|改地址|修改地址|少发|缺货|砍单|预订|预约|改签|退票|退订|撤单|补偿|换一个|换新" },
	{ SIGN_ORDER_REFUND, 2,
		"refund|refunds|refunded|money back|return|returns|returned|returning|exchange it|exchange this|"
		"replacement|cancel my order|cancel the order|cancel an order|cancelled my order|canceled my order|"
		"order number|my order|an order|the order|order status|order was|place an order|placed an order|"
		"orders|wrong item|wrong product|missing item|missing items|out of stock|reservation|booking|"
		"rebook*|return label|reimburse*|compensation|store credit|chargeback|preorder|pre-order|"
		"change the address|change my address" },
	{ SIGN_ORDER_REFUND, 1, "order|ordered|ordering|cancel|cancelled|canceled|booked|warranty" },
	{ SIGN_APP_TECH, 2,
		"app|客户端|软件|程序|系统|网页|网站|页面|小程序|安卓|苹果手机|ios|版本|更新后|更新完|升级完|闪退|"
		"服务器|接口|api接口|插件|浏览器|缓存|安装包|推送|蓝牙|wifi|兼容|鸿蒙|手机端|电脑端|后台|崩溃|白屏|"
		"黑屏|卡死|死机|打不开|加载失败|网络错误|无法登录|上传|下载|导出|同步|登录页" },
	{ SIGN_APP_TECH, 2,
		"application|website|web site|webpage|site|android|iphone|ipad|samsung|chrome|safari|firefox|"
		"browser|server|servers|software|program|install*|uninstall*|reinstall*|update|updated|updates|"
		"version|crashes|crashed|crashing|crash|bug|bugs|glitch*|sync|syncing|bluetooth|notification*|"
		"error|error code|api|sdk|plugin|widget|push notification*|upload*|download*|data export|database|"
		"compile*|build failed|docker|windows|linux|macos" },
	{ SIGN_USABILITY, 2,
		"卡顿|很卡|太卡|好卡|卡的|卡得|卡成|反应慢|加载慢|加载太慢|打开慢|启动慢|响应慢|耗电|费电|占内存|"
		"内存占用|发烫|广告太多|全是广告|弹窗|操作复杂|太复杂|不好用|难用|难操作|不会用|找不到|入口太深|"
		"界面|布局|排版|字体|字太小|按钮太小|交互|设计反人类|反人类|看不清|夜间模式|深色模式|不方便|"
		"不人性化|人性化|流畅|丝滑|好用|易用|操作简单|上手|步骤太多|繁琐" },
	{ SIGN_USABILITY, 2,
		"slow to load|loads slowly|takes forever|takes ages|laggy|lag|lags|lagging|sluggish|performance|"
		"battery drain|drains battery|drains my battery|eats battery|memory usage|too many ads|ads|adverts|"
		"popups|pop-ups|pop ups|user interface|interface|ui|ux|layout|design|font|font size|button|buttons|"
		"dark mode|menu|navigate|navigation|hard to use|difficult to use|easy to use|user friendly|"
		"user-friendly|intuitive|unintuitive|confusing|complicated|clunky|hard to find|cluttered|"
		"readability|too many clicks|too many steps|loading time|smooth|startup time|accessibility|"
		"screen reader" },

	/* ---- urgency ---- */
	{ SIGN_SAFETY, 3,
		"起火|着火|自燃|冒烟|爆炸|触电|漏电|烫伤|烧伤|受伤|中毒|食物中毒|上吐下泻|拉肚子|住院|急诊|送医|"
		"危险|安全隐患|刹车失灵|玻璃渣|异物|过敏严重|严重过敏|休克|自杀|不想活|caught fire|on fire|"
		"smoke coming|smoking|exploded|explosion|electric shock|electrocuted|burned my|burnt my|injured|"
		"injury|injuries|poisoning|food poisoning|hospital|hospitalized|emergency room|ambulance|unsafe|"
		"dangerous|safety hazard|hazard|allergic reaction|choked|choking|brakes failed|glass in|suicide|"
		"gas leak" },
	{ SIGN_FRAUD, 3,
		"诈骗|被骗|盗刷|被盗刷|盗号|被盗|冒充|钓鱼|骗子|骗钱|非本人|不是我本人|不是我操作|信息泄露|"
		"隐私泄露|泄露|泄漏|fraud|fraudulent|scammed|scammer*|phishing|stolen|stole|hacked|hacker*|"
		"unauthorized|unauthorised|identity theft|didn't make this|did not make this|not made by me|"
		"don't recognise|don't recognize|data breach|leaked|compromised" },
	{ SIGN_MONEY_LOSS, 2,
		"扣了两次|重复扣款|重复扣费|多扣了|多扣|乱扣费|乱扣|钱没了|钱不见了|余额没了|损失|无故扣款|"
		"自动扣了|钱扣了|扣了钱|扣款成功但|charged twice|double charged|charged me twice|charged two times|"
		"overcharged|money is gone|money gone|lost money|missing money|took my money|without my consent|"
		"without my permission|charged without|lost thousands|out of pocket" },
	{ SIGN_LOCKED_OUT, 2,
		"登不进去|账号被封|账户被冻结|账号被冻结|被封号|被冻结|无法登录账号|登录不上账号|密码重置不了|"
		"收不到验证码|找不回密码|locked out|account locked|account is locked|account was locked|"
		"account blocked|account suspended|account is suspended|can't access my account|"
		"cannot access my account|can't log in to my account|lost access|no access to my account" },
	{ SIGN_OUTAGE, 3,
		"宕机|瘫痪|全部用不了|都用不了|所有人都|全公司|整个公司|服务器挂了|系统挂了|服务不可用|大面积|"
		"生产环境|停摆|无法营业|无法办公|outage|is down|are down|went down|completely down|whole team|"
		"entire team|entire company|all users|everyone is affected|production is|in production|nobody can|"
		"no one can|service unavailable|000 errors|business is stopped|can't work" },
	{ SIGN_DATA_LOSS, 2,
		"数据丢失|数据没了|数据全没|记录全没|文件丢失|照片没了|全部丢失|全没了|聊天记录没了|data loss|"
		"lost all my|lost my data|deleted all my|wiped|all my data|all my files|all my photos|"
		"everything is gone|data is gone|corrupted" },
	{ SIGN_DEADLINE, 2,
		"马上|立刻|立即|尽快|急|很急|非常急|紧急|加急|十万火急|今天之内|今天必须|明天就要|今晚|赶时间|"
		"来不及|等着用|急用|着急|限你们|00小时内|小时之内|截止|urgent|urgently|asap|as soon as possible|"
		"immediately|right away|right now|emergency|deadline|by tomorrow|by today|by tonight|"
		"before tomorrow|within 00 hours|time sensitive|time-sensitive|can't wait any longer|"
		"running out of time|today" },
	{ SIGN_REPEATED, 2,
		"第二次|第三次|第0次|多次|好几次|无数次|反复|一再|三番五次|再三|打了好几|打了0次|打了00|说了多少遍|"
		"催了|催过|又坏了|又来了|还是没|至今|一直没人|几个月了|一个月了|半个月|0个月了|00天了|0周了|"
		"again and again|third time|second time|0rd time|0th time|multiple times|several times|many times|"
		"countless times|repeatedly|for weeks|for months|weeks ago|still no|still not|still haven't heard|"
		"yet again|over a week|over a month|contacted you|keep calling|called 0 times|no one has replied|"
		"already reported" },
	{ SIGN_LEGAL, 3,
		"起诉|律师|法院|法律途径|法律手段|报警|派出所|消协|消费者协会|00000|工商|市场监管|监管部门|银保监|"
		"仲裁|维权|举报|退一赔三|假一赔|lawyer|lawyers|attorney|legal action|sue|suing|lawsuit|court|"
		"police|ombudsman|trading standards|regulator|bbb|better business bureau|small claims|"
		"consumer protection|ftc|gdpr" },
	{ SIGN_MEDIA, 2,
		"曝光|发微博|上热搜|媒体|记者|电视台|发抖音|发小红书|发朋友圈|黑猫投诉|000晚会|go viral|the press|"
		"journalist*|reporter|newspaper|on social media|post this everywhere|tell everyone|youtube review|"
		"trustpilot" },
	{ SIGN_LEAVING, 1,
		"卸载|弃用|不再用|不用了|换别家|换平台|拉黑|退会员|取消会员|注销账号|不会再买|再也不|"
		"cancel my subscription|cancelling|canceling|switching to|switch to a|moving to a competitor|"
		"competitor|uninstalled|uninstalling|never again|last time i|delete my account|taking my business" },
	{ SIGN_ABUSE, 1,
		"他妈|妈的|傻逼|傻x|sb|滚蛋|去死|王八蛋|混蛋|草泥马|尼玛|tmd|fuck*|shit*|bullshit|bastard*|"
		"asshole*|wtf|damn|crap" },
};
const size_t phrase_count = sizeof(phrases) / sizeof(*phrases);
