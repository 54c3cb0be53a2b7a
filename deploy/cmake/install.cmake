# cmake --install build/release --prefix /usr: programs, what stands beside them, and what systemd reads.
include(GNUInstallDirs)
foreach(program huiyin huiyin-collector huiyin-classifier huiyin-router huiyin-notifier)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
install(DIRECTORY ${CMAKE_BINARY_DIR}/share/huiyin DESTINATION share)
install(DIRECTORY deploy/systemd/ DESTINATION lib/systemd/system
  FILES_MATCHING PATTERN *.service PATTERN *.socket PATTERN *.target PATTERN *.conf)
install(FILES deploy/systemd/huiyin.sysusers DESTINATION lib/sysusers.d RENAME huiyin.conf)
install(FILES deploy/systemd/huiyin.tmpfiles DESTINATION lib/tmpfiles.d RENAME huiyin.conf)
install(FILES deploy/systemd/notifier-smtp.conf.example DESTINATION ${CMAKE_INSTALL_DOCDIR})
# What may stand before the collector; to be copied and adapted.
install(DIRECTORY deploy/front DESTINATION ${CMAKE_INSTALL_DOCDIR})
# What programs need that come through the ZeroMQ door without libhuiyin, and an example of each kind.
install(FILES proto/intake.proto proto/feedback.proto proto/asyncapi.yaml DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/huiyin/proto)
install(DIRECTORY deploy/examples DESTINATION ${CMAKE_INSTALL_DOCDIR} USE_SOURCE_PERMISSIONS)
