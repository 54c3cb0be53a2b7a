# libhuiyin.so: the client with what it uses of common/ inside. Apps see hy_client_* and nothing else; the libraries below it come in only where it
# calls them.
add_library(huiyin_client SHARED ${CMAKE_CURRENT_LIST_DIR}/shared/quiet.c)
set_target_properties(huiyin_client PROPERTIES OUTPUT_NAME huiyin VERSION ${PROJECT_VERSION} SOVERSION 0
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/huiyin.map)
target_link_libraries(huiyin_client PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,hy_client>" hy_wire hy_loop hy_json hy_http)
target_link_options(huiyin_client PRIVATE -Wl,--as-needed -Wl,--gc-sections -Wl,-z,nodelete
  -Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/huiyin.map)
if(NOT HY_SANITIZE)
  target_link_options(huiyin_client PRIVATE -Wl,-z,defs)
endif()

# What an app needs: library, <huiyin/client.h>, huiyin.pc, find_package(huiyin) with huiyin::client, hy_client(3). On its own:
#     cmake --install build/release --component client --prefix /usr
include(GNUInstallDirs)
string(REGEX REPLACE "[^/]+" ".." HY_PC_UP "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
configure_file(${CMAKE_CURRENT_LIST_DIR}/huiyin.pc.in ${CMAKE_CURRENT_BINARY_DIR}/huiyin.pc @ONLY)
set_target_properties(huiyin_client PROPERTIES EXPORT_NAME client)
target_include_directories(huiyin_client INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS huiyin_client EXPORT huiyin LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT client)
install(EXPORT huiyin FILE huiyin-config.cmake NAMESPACE huiyin:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/huiyin COMPONENT client)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/client.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/huiyin COMPONENT client)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/huiyin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT client)
install(FILES ${CMAKE_SOURCE_DIR}/deploy/man/hy_client.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT client)
# A page for each function that apps see, which leads to that one.
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/huiyin.map exported REGEX "hy_client_")
foreach(line ${exported})
  string(REGEX MATCH "hy_client_[a-z_]+" function "${line}")
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/man3/${function}.3 CONTENT ".so man3/hy_client.3\n")
endforeach()
install(DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/man3 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT client)
